"""Where P, QRS and T begin and end: one delineation over all leads, independent of heart rate."""

from ptacl_core.preprocess.delineation.run import delineate

__all__ = ["delineate"]
