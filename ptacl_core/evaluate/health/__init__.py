"""Whether a training has learned anything: figures of its embeddings, and the verdict."""

from ptacl_core.evaluate.health.contrast import ContrastFigures, measure_contrast
from ptacl_core.evaluate.health.spread import SpreadFigures, effective_rank, measure_spread
from ptacl_core.evaluate.health.verdict import (
    DEFAULT_THRESHOLDS,
    HealthThresholds,
    HealthVerdict,
    StageFigures,
    judge_learning,
)

__all__ = [
    "DEFAULT_THRESHOLDS",
    "ContrastFigures",
    "HealthThresholds",
    "HealthVerdict",
    "SpreadFigures",
    "StageFigures",
    "effective_rank",
    "judge_learning",
    "measure_contrast",
    "measure_spread",
]
