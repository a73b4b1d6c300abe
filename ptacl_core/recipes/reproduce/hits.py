"""Hits of every query of a run, from the store or from an unpacked archive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array, Float64, UInt8
from ptacl_core.cohort import Cohort
from ptacl_core.errors import CohortError
from ptacl_core.records import PHENOTYPE_NAMES

KS = (1, 3, 5, 10, 15)
OWN = ("included", "excluded")
DIRECTION = "ecg-cmr"
HITS_FILE = "retrieval.npz"
NONE = 255

Patient = tuple[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Per query patient and phenotype the precision at each k, of one run; NaN where none.

    `patients` are the queries and their place.
    """

    patients: Mapping[Patient, int]
    precision: Float64[Array, "own patient target k"]

    def take(
        self, own: str, k: int, patients: Sequence[Patient]
    ) -> Float64[Array, "patient target"]:
        """Rows in the order of `patients`; NaN where a phenotype is absent."""
        chosen = [self.patients[who] for who in patients]
        return self.precision[OWN.index(own), chosen, :, KS.index(k)]

    def counts(self) -> UInt8[Array, "own patient target k"]:
        """Hits among the first k as whole numbers, `NONE` for NaN."""
        hits = np.rint(self.precision * np.asarray(KS))
        return np.where(np.isnan(hits), NONE, hits).astype(np.uint8)


def read_hits(cohort: Cohort, run: str) -> Hits | None:
    """What `ptacl evaluate` put into the store for a run; None where it put nothing."""
    rows = cohort.fetch(
        "SELECT patient, visit, own, phenotype, p_at_1, p_at_3, p_at_5, p_at_10, p_at_15 "
        "FROM evaluation_retrieval WHERE run = ? AND direction = ? ORDER BY patient, visit",
        [run, DIRECTION],
    )
    if not rows:
        return None
    queries = [(str(row[0]), int(row[1])) for row in rows]
    place = {patient: index for index, patient in enumerate(dict.fromkeys(queries))}
    precision = np.full((len(OWN), len(place), len(PHENOTYPE_NAMES), len(KS)), np.nan)
    for patient, (_, _, own, name, *values) in zip(queries, rows, strict=True):
        cell = (OWN.index(own), place[patient], PHENOTYPE_NAMES.index(name))
        precision[cell] = [np.nan if value is None else value for value in values]
    return Hits(place, precision)


def read_archived_hits(run_dir: Path) -> Hits | None:
    """What an archive held of a run; None where it held nothing. Raises CohortError."""
    path = run_dir / HITS_FILE
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            names, visits, counts = stored["patient"], stored["visit"], stored["counts"]
    except (OSError, ValueError, KeyError) as error:
        raise CohortError(f"{run_dir.name}: {HITS_FILE}: {type(error).__name__}") from None
    place = {
        (str(name), int(visit)): index
        for index, (name, visit) in enumerate(zip(names, visits, strict=True))
    }
    hits = np.where(counts == NONE, np.nan, counts.astype(np.float64))
    return Hits(place, hits / np.asarray(KS))
