"""Recording → what the encoders take: pure NumPy, one transformation per file, no torch."""

from typing import TYPE_CHECKING, Any

from ptacl_core.preprocess.beat_steps import beat_step_matrices, beat_step_matrix
from ptacl_core.preprocess.delineation import delineate
from ptacl_core.preprocess.denoise import denoise_ecg
from ptacl_core.preprocess.ecg import prepare_ecg
from ptacl_core.preprocess.measurements import analyse_ecg, measure_ecg
from ptacl_core.preprocess.normalise import normalise_ecg
from ptacl_core.preprocess.r_peaks import detect_r_peaks

if TYPE_CHECKING:
    from ptacl_core.preprocess.cine import prepare_cine

__all__ = [
    "analyse_ecg",
    "beat_step_matrices",
    "beat_step_matrix",
    "delineate",
    "denoise_ecg",
    "detect_r_peaks",
    "measure_ecg",
    "normalise_ecg",
    "prepare_cine",
    "prepare_ecg",
]


def __getattr__(name: str) -> Any:
    """`prepare_cine` on first use: readers of ECGs need not load the imaging side."""
    if name == "prepare_cine":
        from ptacl_core.preprocess.cine import prepare_cine

        return prepare_cine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
