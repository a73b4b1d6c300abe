"""What is measured, as mathematics only: NumPy float64 in and out, no torch (evaluation.md)."""

from ptacl_core.evaluate.alignment import AlignmentMeasures, alignment_map, measure_alignment
from ptacl_core.evaluate.conformal import (
    ConformalIntervals,
    Coverage,
    Interval,
    clopper_pearson,
    fit_conformal,
    measure_coverage,
)
from ptacl_core.evaluate.consistency import expected_precision
from ptacl_core.evaluate.dependent import page_trend, williams_test
from ptacl_core.evaluate.intervals import (
    BootstrapInterval,
    PairedDifference,
    bootstrap_interval,
    holm_adjust,
    judge_difference,
    paired_difference,
)
from ptacl_core.evaluate.labels import EvaluationError, why_undefined
from ptacl_core.evaluate.linear_probe import LinearProbe, fit_linear_probe, linear_probe_r2
from ptacl_core.evaluate.metrics import (
    BlandAltman,
    Calibration,
    bland_altman,
    calibration_slope_intercept,
    concordance_correlation,
    mean_absolute_error,
    pearson_r,
    r2,
)
from ptacl_core.evaluate.outliers import OutlierDetector, fit_outlier_detector
from ptacl_core.evaluate.reference_ranges import ReferenceRanges, fit_reference_ranges
from ptacl_core.evaluate.retrieval import (
    PhenotypeRetrieval,
    own_pair_ranks,
    pair_recall,
    retrieval_metrics,
    retrieve,
)

__all__ = [
    "AlignmentMeasures",
    "BlandAltman",
    "BootstrapInterval",
    "Calibration",
    "ConformalIntervals",
    "Coverage",
    "EvaluationError",
    "Interval",
    "LinearProbe",
    "OutlierDetector",
    "PairedDifference",
    "PhenotypeRetrieval",
    "ReferenceRanges",
    "alignment_map",
    "bland_altman",
    "bootstrap_interval",
    "calibration_slope_intercept",
    "clopper_pearson",
    "concordance_correlation",
    "expected_precision",
    "fit_conformal",
    "fit_linear_probe",
    "fit_outlier_detector",
    "fit_reference_ranges",
    "holm_adjust",
    "judge_difference",
    "linear_probe_r2",
    "mean_absolute_error",
    "measure_alignment",
    "measure_coverage",
    "own_pair_ranks",
    "page_trend",
    "pair_recall",
    "paired_difference",
    "pearson_r",
    "r2",
    "retrieval_metrics",
    "retrieve",
    "why_undefined",
    "williams_test",
]
