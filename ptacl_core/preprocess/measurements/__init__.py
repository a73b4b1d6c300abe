"""What an ECG measures: intervals, axes, amplitudes and statements of one delineation."""

from ptacl_core.preprocess.measurements.run import analyse_ecg, measure_ecg

__all__ = ["analyse_ecg", "measure_ecg"]
