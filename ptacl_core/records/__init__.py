"""What a file becomes in memory: immutable records, units in their names."""

from ptacl_core.records.analysis import (
    FIGURE_NAMES,
    FIGURE_UNITS,
    LEAD_FIGURE_NAMES,
    EcgAnalysis,
    Statement,
)
from ptacl_core.records.cine import CineRecord
from ptacl_core.records.ecg import LEAD_NAMES, EcgRecord
from ptacl_core.records.finding import Finding
from ptacl_core.records.marks import MARK_NAMES, BeatMarks, EcgMarks
from ptacl_core.records.person import Person, parse_person
from ptacl_core.records.phenotypes import PHENOTYPE_NAMES, PHENOTYPE_UNITS
from ptacl_core.records.prepared import PreparedCine, PreparedEcg
from ptacl_core.records.targets import PHENOTYPE_TARGETS, Target

__all__ = [
    "FIGURE_NAMES",
    "FIGURE_UNITS",
    "LEAD_FIGURE_NAMES",
    "LEAD_NAMES",
    "MARK_NAMES",
    "PHENOTYPE_NAMES",
    "PHENOTYPE_TARGETS",
    "PHENOTYPE_UNITS",
    "BeatMarks",
    "CineRecord",
    "EcgAnalysis",
    "EcgMarks",
    "EcgRecord",
    "Finding",
    "Person",
    "PreparedCine",
    "PreparedEcg",
    "Statement",
    "Target",
    "parse_person",
]
