"""What needs no learning: the lines of linear algebra that every trained row is held against."""

from ptacl_core.evaluate.bars.label_curve import (
    LABEL_COUNTS,
    LabelCurve,
    LabelPoint,
    labels_needed,
    measure_label_curve,
)
from ptacl_core.evaluate.bars.linear_alignment import LinearAlignment, fit_linear_alignment
from ptacl_core.evaluate.bars.mean_beat import mean_beat_features
from ptacl_core.evaluate.bars.pixels import pixel_features
from ptacl_core.evaluate.bars.ridge import PENALTIES, Ridge

__all__ = [
    "LABEL_COUNTS",
    "PENALTIES",
    "LabelCurve",
    "LabelPoint",
    "LinearAlignment",
    "Ridge",
    "fit_linear_alignment",
    "labels_needed",
    "mean_beat_features",
    "measure_label_curve",
    "pixel_features",
]
