"""Layouts of the beat family: a token is a step of the cycle, of all leads or all pixels."""

from dataclasses import dataclass, field

from ptacl_core.errors import ConfigError
from ptacl_core.models.parts.patches import CinePatches
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
    """Whole frames averaged to `pooled_px` × `pooled_px`, `patch_frames` of them a token.

    The averaged clip is cut as any cine is, in patches as large as its frames.
    """

    num_frames: int
    size_px: int
    patch_frames: int
    pooled_px: int
    averaged: CinePatches = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.size_px % self.pooled_px:
            raise ConfigError(
                f"size_px: expected a multiple of pooled_px {self.pooled_px}, got {self.size_px}"
            )
        cut = CinePatches(self.num_frames, self.pooled_px, self.patch_frames, self.pooled_px)
        object.__setattr__(self, "averaged", cut)

    @property
    def grid(self) -> tuple[int, int, int]:
        """(time, 1, 1): a step of the cycle is one token."""
        return self.averaged.grid

    @property
    def patch_size(self) -> int:
        """Averaged pixels of one token over its frames."""
        return self.averaged.patch_size

    @property
    def num_target_values(self) -> int:
        """All of them are predicted by a masked autoencoder."""
        return self.averaged.num_target_values

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(frame, height, width)."""
        return self.num_frames, self.size_px, self.size_px

    @property
    def accepted_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Whole frames, and frames that were averaged before."""
        return self.input_shape, self.averaged.input_shape

    def patchify(
        self, batch: Float[Tensor, "batch frame height width"]
    ) -> Float[Tensor, "batch token value"]:
        """Clips, averaged before or not; the values of a token run over frame, row, column."""
        return self.averaged.patchify(average_frames(batch, self.pooled_px))


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
