"""What an ECG measures: intervals, axes, amplitudes and statements of one delineation."""

from ptacl_core.preprocess.measurements.comparison import DISAGREEMENT_LIMITS, compare_opinions
from ptacl_core.preprocess.measurements.run import analyse_ecg, measure_ecg

__all__ = ["DISAGREEMENT_LIMITS", "analyse_ecg", "compare_opinions", "measure_ecg"]
