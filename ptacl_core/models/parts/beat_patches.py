"""Layouts of the beat family: a token is a step of the cycle, of all leads or all pixels."""

from dataclasses import dataclass

from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Float, Tensor


@dataclass(frozen=True)
class BeatPatches:
    """Steps of a beat, cut before they come here: `augment.beats_as_steps` makes the input.

    A step holds `samples_per_step` samples of each lead, then `num_rhythm_values` values that
    tell of the RR intervals; a masked autoencoder predicts the samples only.
    """

    num_leads: int
    num_steps: int
    samples_per_step: int
    num_rhythm_values: int

    @property
    def grid(self) -> tuple[int, int]:
        """(1, step): all leads are one row of tokens."""
        return 1, self.num_steps

    @property
    def patch_size(self) -> int:
        """Values of one step, rhythm included."""
        return self.num_target_values + self.num_rhythm_values

    @property
    def num_target_values(self) -> int:
        """Samples of one step over all leads."""
        return self.num_leads * self.samples_per_step

    @property
    def input_shape(self) -> tuple[int, int]:
        """(step, value)."""
        return self.num_steps, self.patch_size

    @property
    def accepted_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of a recording that `patchify` takes."""
        return (self.input_shape,)

    def patchify(
        self, batch: Float[Tensor, "batch step value"]
    ) -> Float[Tensor, "batch token value"]:
        """The steps as they are."""
        return batch

    def unpatchify(
        self, patches: Float[Tensor, "batch token value"]
    ) -> Float[Tensor, "batch step value"]:
        """The steps as they are."""
        return patches


@dataclass(frozen=True)
class PooledCinePatches:
    """Whole frames averaged to `pooled_px` × `pooled_px`, `patch_frames` of them a token."""

    num_frames: int
    size_px: int
    patch_frames: int
    pooled_px: int

    def __post_init__(self) -> None:
        if self.num_frames % self.patch_frames or self.size_px % self.pooled_px:
            raise ConfigError(
                f"num_frames: expected a multiple of patch_frames {self.patch_frames}, got "
                f"{self.num_frames}; size_px: a multiple of pooled_px {self.pooled_px}, got "
                f"{self.size_px}"
            )

    @property
    def grid(self) -> tuple[int, int, int]:
        """(time, 1, 1): a step of the cycle is one token."""
        return self.num_frames // self.patch_frames, 1, 1

    @property
    def patch_size(self) -> int:
        """Averaged pixels of one token over its frames."""
        return self.patch_frames * self.pooled_px * self.pooled_px

    @property
    def num_target_values(self) -> int:
        """All of them are predicted by a masked autoencoder."""
        return self.patch_size

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(frame, height, width)."""
        return self.num_frames, self.size_px, self.size_px

    @property
    def accepted_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Whole frames, and frames that were averaged before."""
        return self.input_shape, (self.num_frames, self.pooled_px, self.pooled_px)

    def patchify(
        self, batch: Float[Tensor, "batch frame height width"]
    ) -> Float[Tensor, "batch token value"]:
        """Clips, averaged before or not; the values of a token run over frame, row, column."""
        averaged = average_frames(batch, self.pooled_px)
        return averaged.reshape(len(batch), -1, self.patch_size)


def average_frames(
    clips: Float[Tensor, "batch frame height width"], side_px: int
) -> Float[Tensor, "batch frame side side"]:
    """Square frames averaged over equal squares to `side_px`; such frames already as they are."""
    size_px = clips.shape[-1]
    if size_px == side_px:
        return clips
    cell = size_px // side_px
    cut = clips.reshape(*clips.shape[:2], side_px, cell, side_px, cell)
    return cut.mean(dim=(3, 5))
