"""Vectors that another model made of people: into the cohort, listed, out again."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.cohort import Cohort, CohortLayout
from ptacl_core.cohort.identity.aliases import read_known
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.cohort.identity.register import open_register
from ptacl_core.cohort.queries.vectors import VectorSummary
from ptacl_core.errors import CohortError, ConfigError
from ptacl_core.ingest.labels import find_person, number_visit
from ptacl_core.ingest.targets import publish_vectors, read_ecg_visits
from ptacl_core.io.targets.vectors import VectorTable, read_vector_table
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.shards.spec import EVERY_VISIT

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(slots=True)
class _Counts:
    """Rows that were left out, by why."""

    strangers: int = 0
    gone: int = 0
    unplaced: int = 0
    repeated: int = 0

    def describe(self) -> str:
        """The counts that are not 0, as the end of a sentence."""
        parts = [
            f"{count} rows {words}"
            for count, words in (
                (self.strangers, "of people without an ECG here"),
                (self.gone, "of people who withdrew or were erased"),
                (self.unplaced, "of a visit without an ECG"),
                (self.repeated, "repeat a person's visit, and the first was kept"),
            )
            if count
        ]
        return "".join(f"; {part}" for part in parts)


def add(
    cohort_dir: Path,
    file: Path,
    *,
    name: str,
    person: str = "person",
    visit: str | None = None,
    progress: ProgressSink = SILENT,
) -> VectorSummary:
    """Put the vectors of a Parquet file into the cohort under `name`; says what was left out.

    Raises ConfigError for a name that cannot be used, UnsupportedFormatError for a table that
    cannot, CohortError where the cohort has that name already or nobody of the table.
    """
    if _NAME.fullmatch(name) is None:
        raise ConfigError(
            f"--name '{name[:40]}': expected a to z, 0 to 9 and _, at most 40, a letter first"
        )
    with Cohort.open(cohort_dir) as cohort:
        if name in {known.name for known in cohort.vector_sets()}:
            raise CohortError(
                f"the cohort has vectors '{name}' already; take another name, or "
                f"`ptacl vectors remove COHORT {name}` first"
            )
    table = read_vector_table(file, person=person, visit=visit)
    kept, counts = _match(cohort_dir, table)
    if not kept:
        raise CohortError(
            f"none of the {len(table.subjects)} rows is of a person with an ECG here"
            f"{counts.describe()}; person identifiers are those of the recordings' source"
        )
    publish_vectors(cohort_dir, {name: kept})
    summary = _find(cohort_dir, name)
    progress.say(
        f"{name}: {summary.num_vectors} vectors of {summary.dim} values, of "
        f"{summary.num_people} people{counts.describe()}"
    )
    return summary


def list_vectors(cohort_dir: Path) -> list[VectorSummary]:
    """The sets of vectors that a cohort has."""
    with Cohort.open(cohort_dir) as cohort:
        return cohort.vector_sets()


def remove(cohort_dir: Path, name: str) -> int:
    """Remove a set of vectors; returns how many there were. Raises CohortError without it.

    Runs that were aligned with it stay, with the embeddings that they made.
    """
    summary = _find(cohort_dir, name)
    with Cohort.write(cohort_dir, purpose="remove vectors", waits=True) as writer:
        count = writer.remove_vectors(summary.name)
        writer.put_audit("vectors", removed=summary.name)
    return count


def _match(
    cohort_dir: Path, table: VectorTable
) -> tuple[dict[tuple[str, int], Float32[Array, " value"]], _Counts]:
    """Vectors under the pseudonyms and visits of people with an ECG."""
    layout = CohortLayout(cohort_dir.absolute())
    key = open_key(layout)
    known, register = read_known(layout.shards, key), open_register(layout, key)
    held = read_ecg_visits(cohort_dir)
    patients = [find_person(subject, known) or key.pseudonym(subject) for subject in table.subjects]
    with Cohort.open(cohort_dir) as cohort:
        erased = cohort.find_erased(set(patients))
    counts = _Counts()
    kept: dict[tuple[str, int], Float32[Array, " value"]] = {}
    rows = zip(table.subjects, patients, table.visits, table.values, strict=True)
    for subject, patient, label, vector in rows:
        if register.holds_identifier(subject) or patient in erased:
            counts.gone += 1
            continue
        if patient not in held:
            counts.strangers += 1
            continue
        visit = number_visit(patient, label, known)
        if visit is None or (visit != EVERY_VISIT and visit not in held[patient]):
            counts.unplaced += 1
        elif (patient, visit) in kept:
            counts.repeated += 1
        else:
            kept[patient, visit] = np.ascontiguousarray(vector)
    return kept, counts


def _find(cohort_dir: Path, name: str) -> VectorSummary:
    known = {summary.name: summary for summary in list_vectors(cohort_dir)}
    if name not in known:
        raise CohortError(
            f"no vectors '{name[:40]}' in the cohort; there are: {', '.join(known) or 'none'}"
        )
    return known[name]
