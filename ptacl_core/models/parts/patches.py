"""Cutting recordings into patches, and putting patches back together."""

from dataclasses import dataclass

from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Float, Tensor


@dataclass(frozen=True)
class EcgPatches:
    """Each lead in pieces of `patch_samples`; lead-major: token = lead · slots + slot."""

    num_leads: int
    num_samples: int
    patch_samples: int

    def __post_init__(self) -> None:
        if self.num_samples % self.patch_samples:
            raise ConfigError(
                f"num_samples: expected a multiple of patch_samples {self.patch_samples}, "
                f"got {self.num_samples}"
            )

    @property
    def grid(self) -> tuple[int, int]:
        """(lead, slot)."""
        return self.num_leads, self.num_samples // self.patch_samples

    @property
    def patch_size(self) -> int:
        """Samples of one patch."""
        return self.patch_samples

    @property
    def num_target_values(self) -> int:
        """Values that a masked autoencoder predicts: all."""
        return self.patch_size

    @property
    def input_shape(self) -> tuple[int, int]:
        """(lead, sample)."""
        return self.num_leads, self.num_samples

    @property
    def accepted_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of a recording that `patchify` takes."""
        return (self.input_shape,)

    def patchify(
        self, batch: Float[Tensor, "batch lead sample"]
    ) -> Float[Tensor, "batch token value"]:
        """ECGs to patches; a view where the memory allows it."""
        return batch.reshape(len(batch), -1, self.patch_samples)

    def unpatchify(
        self, patches: Float[Tensor, "batch token value"]
    ) -> Float[Tensor, "batch lead sample"]:
        """Patches back to ECGs."""
        return patches.reshape(len(patches), self.num_leads, self.num_samples)


@dataclass(frozen=True)
class CinePatches:
    """Cubes of `patch_frames` × `patch_px` × `patch_px`; time-major, then row, then column."""

    num_frames: int
    size_px: int
    patch_frames: int
    patch_px: int

    def __post_init__(self) -> None:
        if self.num_frames % self.patch_frames or self.size_px % self.patch_px:
            raise ConfigError(
                f"num_frames: expected a multiple of patch_frames {self.patch_frames}, got "
                f"{self.num_frames}; size_px: a multiple of patch_px {self.patch_px}, got "
                f"{self.size_px}"
            )

    @property
    def grid(self) -> tuple[int, int, int]:
        """(time, row, column)."""
        side = self.size_px // self.patch_px
        return self.num_frames // self.patch_frames, side, side

    @property
    def patch_size(self) -> int:
        """Pixels of one patch over its frames."""
        return self.patch_frames * self.patch_px * self.patch_px

    @property
    def num_target_values(self) -> int:
        """Values that a masked autoencoder predicts: all."""
        return self.patch_size

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(frame, height, width)."""
        return self.num_frames, self.size_px, self.size_px

    @property
    def accepted_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of a recording that `patchify` takes."""
        return (self.input_shape,)

    def patchify(
        self, batch: Float[Tensor, "batch frame height width"]
    ) -> Float[Tensor, "batch token value"]:
        """Clips to patches; the values of a patch run over frame, row, column."""
        times, rows, columns = self.grid
        cut = batch.reshape(
            len(batch), times, self.patch_frames, rows, self.patch_px, columns, self.patch_px
        )
        return cut.permute(0, 1, 3, 5, 2, 4, 6).reshape(len(batch), -1, self.patch_size)

    def unpatchify(
        self, patches: Float[Tensor, "batch token value"]
    ) -> Float[Tensor, "batch frame height width"]:
        """Patches back to clips."""
        times, rows, columns = self.grid
        cut = patches.reshape(
            len(patches), times, rows, columns, self.patch_frames, self.patch_px, self.patch_px
        )
        return cut.permute(0, 1, 4, 2, 5, 3, 6).reshape(len(patches), *self.input_shape)
