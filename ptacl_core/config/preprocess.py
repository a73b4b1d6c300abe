"""How a recording becomes what the encoders take. Stored with shards, runs and checkpoints."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ptacl_core.config.assignments import parse_assignment
from ptacl_core.config.model import Settings
from ptacl_core.config.nearest_keys import suggest
from ptacl_core.errors import ConfigError
from ptacl_core.json_values import JsonObject


class EcgSettings(Settings):
    """Preprocessing of one ECG (method.md §1)."""

    sampling_rate_hz: float = Field(default=500.0, gt=0)
    """Rate that every ECG is resampled to, in Hz."""
    duration_s: float = Field(default=10.0, gt=0)
    """Length kept from the start of the recording, in seconds."""
    min_duration_s: float = Field(default=9.0, gt=0)
    """Shorter recordings are rejected, never padded silently beyond this, in seconds."""
    baseline: Literal["wavelet", "als", "none"] = "wavelet"
    """Removal of baseline wander and noise: 8-level wavelet, asymmetric least squares, none."""
    wavelet: str = "db6"
    """Wavelet family."""
    level: int = Field(default=8, ge=1)
    """Decomposition levels; the approximation at this level is removed."""
    num_finest_removed: int = Field(default=2, ge=0)
    """How many of the finest detail bands are removed."""
    use_soft_threshold: bool = False
    """Also soft-threshold the remaining details (universal threshold)."""
    normalisation: Literal["group", "per_lead", "record", "none"] = "group"
    """Scope of the z-score: I–II–III / aVR–aVL–aVF / V1–V6, each lead, the record, none (mV)."""


class CineSettings(Settings):
    """Preprocessing of one short-axis cine (method.md §2)."""

    num_frames: int = Field(default=50, ge=2)
    """Frames over the cycle, resampled cyclically from end-diastole."""
    size_px: int = Field(default=84, ge=12)
    """Side of the square crop, in pixels."""
    pixel_mm: float | None = Field(default=1.83, gt=0)
    """In-plane pixel size that the slice is resampled to, in mm (UK Biobank's own, so that its
    cines are never interpolated); within 1 % nothing is resampled; None keeps the source's."""
    slice_choice: Literal["middle", "segmentation"] = "middle"
    """Z // 2 of the sorted stack, or the middle of the slices with left ventricle."""
    upper_percentile: float = Field(default=99.5, gt=50, le=100)
    """Intensities above this percentile of the crop are clipped before min-max."""
    centre_px: tuple[float, float] | None = None
    """Manual heart centre (row, column) in the source image; None: found."""


class PreprocessSettings(Settings):
    """Both modalities; its hash marks shards, runs and predictions."""

    ecg: EcgSettings = EcgSettings()
    cine: CineSettings = CineSettings()

    def list_differences(self, other: "PreprocessSettings") -> list[str]:
        """Keys in which `other` differs, with both values."""
        return [
            f"{part}.{key} is {value!r}, not {getattr(getattr(other, part), key)!r}"
            for part in ("ecg", "cine")
            for key, value in getattr(self, part)
            if value != getattr(getattr(other, part), key)
        ]


def load_preprocess_settings(assignments: Sequence[str] = ()) -> PreprocessSettings:
    """The usual settings with `key=value` laid over, such as ecg.normalisation="per_lead".

    Raises ConfigError that names every fault and the nearest keys.
    """
    values: dict[str, JsonObject] = {"ecg": {}, "cine": {}}
    for text in assignments:
        for part, given in parse_assignment(text, example="ecg.baseline=als").items():
            if part not in values or not isinstance(given, dict):
                known = [f"{name}.{key}" for name, keys in _known().items() for key in keys]
                raise ConfigError(f"--set {text}: unknown key '{part}'{suggest(part, known)}")
            values[part] |= given
    return PreprocessSettings.from_mapping(values, source=f"--set {' '.join(assignments)}".strip())


def _known() -> dict[str, list[str]]:
    return {"ecg": list(EcgSettings.model_fields), "cine": list(CineSettings.model_fields)}
