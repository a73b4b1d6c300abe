"""Strengths of the augmentations; the defaults are those of contrastive training."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from ptacl_core.config.model import Settings
from ptacl_core.errors import ConfigError


class EcgAugmentSettings(Settings):
    """Augmentation of ECG crops (method.md §3)."""

    surrogate_strength: float = Field(default=0.1, ge=0)
    """Share of a random phase that every frequency is turned by."""
    surrogate_probability: float = Field(default=0.5, ge=0, le=1)
    """Share of recordings that get a Fourier surrogate."""
    jitter_std: float = Field(default=0.25, ge=0)
    """Multiplicative noise: x + 0.6 · x · N(0, jitter_std)."""
    rescale_std: float = Field(default=0.5, ge=0)
    """One factor N(1, rescale_std) per recording."""
    rescale_min: float = Field(default=0.1, gt=0, le=1)
    """Smallest factor, unless the sign may flip."""
    allow_sign_flip: bool = False
    """Let the factor be negative, as in the laboratory's code."""
    sign_flip_probability: float = Field(default=0.0, ge=0, le=1)
    """Share of recordings turned upside down (SimCLR of one modality)."""
    time_flip_probability: float = Field(default=0.0, ge=0, le=1)
    """Share of recordings reversed in time; needs `allow_time_flip`."""
    allow_time_flip: bool = False
    """Only SimCLR of one modality may set it: the local loss needs the order of the beat."""

    @model_validator(mode="after")
    def _time_flip_is_allowed(self) -> "EcgAugmentSettings":
        if self.time_flip_probability > 0 and not self.allow_time_flip:
            raise ValueError(
                f"time_flip_probability {self.time_flip_probability} needs allow_time_flip = "
                "true, which only SimCLR of one modality may set"
            )
        return self

    def require_beat_order(self) -> None:
        """Raise ConfigError where beats may be reversed; stages with a local loss call it."""
        if self.allow_time_flip:
            raise ConfigError(
                "augment.ecg.allow_time_flip: true cannot be combined with the local loss, "
                "which aligns the order of the beat; set it false or beta = 0"
            )

    def strengths(self) -> Mapping[str, Any]:
        """Keyword arguments of `augment.augment_ecg`."""
        return dict(self)


class CineAugmentSettings(Settings):
    """Augmentation of cine clips, drawn once per clip (method.md §3)."""

    crop_scale: tuple[float, float] = (0.6, 1.0)
    """Least and largest share of the image's area that a crop keeps."""
    crop_ratio: tuple[float, float] = (0.75, 4.0 / 3.0)
    """Least and largest width over height of a crop."""
    rotation_deg: float = Field(default=45.0, ge=0, le=180)
    """Largest angle of rotation to either side, in degrees."""
    flip_probability: float = Field(default=0.5, ge=0, le=1)
    """Share of clips mirrored left to right."""
    vertical_flip_probability: float = Field(default=0.0, ge=0, le=1)
    """Share of clips mirrored top to bottom."""
    brightness: float = Field(default=0.5, ge=0, le=1)
    """Largest relative change of brightness."""
    contrast: float = Field(default=0.5, ge=0, le=1)
    """Largest relative change of contrast about the clip's mean."""
    blur_sigma_px: tuple[float, float] = (0.1, 1.0)
    """Least and largest standard deviation of the 5 × 5 blur, in pixels."""
    blur_probability: float = Field(default=0.3, ge=0, le=1)
    """Share of clips blurred."""
    noise_std: float = Field(default=0.02, ge=0)
    """Standard deviation of the noise, for values in [0, 1]."""
    noise_probability: float = Field(default=0.5, ge=0, le=1)
    """Share of clips with noise."""

    @model_validator(mode="after")
    def _ranges_rise(self) -> "CineAugmentSettings":
        for name in ("crop_scale", "crop_ratio", "blur_sigma_px"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name}: expected 0 < least ≤ largest, got ({low}, {high})")
        if self.crop_scale[1] > 1:
            raise ValueError(f"crop_scale: expected shares up to 1, got {self.crop_scale[1]}")
        return self

    @property
    def is_identity(self) -> bool:
        """Whether clips stay as they are."""
        shares = (
            self.rotation_deg, self.flip_probability, self.vertical_flip_probability,
            self.brightness, self.contrast, self.blur_probability, self.noise_probability,
        )  # fmt: skip
        return self.crop_scale == self.crop_ratio == (1.0, 1.0) and not any(shares)

    def strengths(self) -> Mapping[str, Any]:
        """Keyword arguments of `augment.augment_cine`."""
        return dict(self)


SIMCLR_ECG = EcgAugmentSettings(
    allow_time_flip=True, time_flip_probability=0.5, sign_flip_probability=0.5
)
"""ECG SimCLR of the laboratory's trainer: both flips with probability one half."""

SIZE_KEEPING_CINE = CineAugmentSettings(crop_scale=(0.8, 1.0), crop_ratio=(0.95, 1.05))
"""Masked and supervised training of the cine: the size in pixels tells the volume."""
