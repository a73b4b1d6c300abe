"""What is measured, as mathematics only: NumPy float64 in and out, no torch (evaluation.md)."""

from ptacl_core.evaluate.conformal import (
    ConformalIntervals,
    Coverage,
    Interval,
    clopper_pearson,
    fit_conformal,
    measure_coverage,
    shortfall_p_value,
)
from ptacl_core.evaluate.consistency import expected_precision
from ptacl_core.evaluate.decisions import (
    Ranking,
    ReliabilityBin,
    brier_score,
    expected_calibration_error,
    probability_below,
    rank_events,
    reliability,
)
from ptacl_core.evaluate.dependent import page_trend, williams_test
from ptacl_core.evaluate.drift import (
    Discrepancy,
    Stability,
    maximum_mean_discrepancy,
    stability_of_categories,
    stability_of_numbers,
    standardised_difference,
)
from ptacl_core.evaluate.intervals import (
    BootstrapInterval,
    PairedDifference,
    bootstrap_interval,
    holm_adjust,
    judge_difference,
    paired_difference,
    summarise_draws,
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
from ptacl_core.evaluate.people.neighbour_distribution import (
    NeighbourDistribution,
    describe_neighbours,
)
from ptacl_core.evaluate.people.population_groups import (
    AGE_BANDS,
    BMI_BANDS,
    UNKNOWN,
    name_age_bands,
    name_bmi_bands,
    name_sex_age_groups,
)
from ptacl_core.evaluate.people.reference_ranges import ReferenceRanges, fit_reference_ranges
from ptacl_core.evaluate.regression_figures import REGRESSION_FIGURES, RegressionTerms
from ptacl_core.evaluate.resampling import Resamples, draw_resamples
from ptacl_core.evaluate.retrieval import (
    PhenotypeRetrieval,
    own_pair_ranks,
    pair_recall,
    retrieval_metrics,
    retrieve,
)
from ptacl_core.evaluate.steps.alignment import AlignmentMeasures, alignment_map, measure_alignment

__all__ = [
    "AGE_BANDS",
    "BMI_BANDS",
    "REGRESSION_FIGURES",
    "UNKNOWN",
    "AlignmentMeasures",
    "BlandAltman",
    "BootstrapInterval",
    "Calibration",
    "ConformalIntervals",
    "Coverage",
    "Discrepancy",
    "EvaluationError",
    "Interval",
    "LinearProbe",
    "NeighbourDistribution",
    "OutlierDetector",
    "PairedDifference",
    "PhenotypeRetrieval",
    "Ranking",
    "ReferenceRanges",
    "RegressionTerms",
    "ReliabilityBin",
    "Resamples",
    "Stability",
    "alignment_map",
    "bland_altman",
    "bootstrap_interval",
    "brier_score",
    "calibration_slope_intercept",
    "clopper_pearson",
    "concordance_correlation",
    "describe_neighbours",
    "draw_resamples",
    "expected_calibration_error",
    "expected_precision",
    "fit_conformal",
    "fit_linear_probe",
    "fit_outlier_detector",
    "fit_reference_ranges",
    "holm_adjust",
    "judge_difference",
    "linear_probe_r2",
    "maximum_mean_discrepancy",
    "mean_absolute_error",
    "measure_alignment",
    "measure_coverage",
    "name_age_bands",
    "name_bmi_bands",
    "name_sex_age_groups",
    "own_pair_ranks",
    "page_trend",
    "pair_recall",
    "paired_difference",
    "pearson_r",
    "probability_below",
    "r2",
    "rank_events",
    "reliability",
    "retrieval_metrics",
    "retrieve",
    "shortfall_p_value",
    "stability_of_categories",
    "stability_of_numbers",
    "standardised_difference",
    "summarise_draws",
    "why_undefined",
    "williams_test",
]
