"""What a cohort answers about people, recordings, runs and what runs made."""

from collections.abc import Mapping, Sequence
from typing import Any

from ptacl_core.cohort.opened_store import OpenedStore
from ptacl_core.cohort.queries import patients as patient_queries
from ptacl_core.cohort.queries import runs as run_queries
from ptacl_core.cohort.queries import targets as target_queries
from ptacl_core.cohort.queries import vectors as vector_queries
from ptacl_core.cohort.queries.vectors import GivenVectors, VectorSummary
from ptacl_core.cohort.rows import (
    Embeddings,
    EvaluationResult,
    OutOfDistribution,
    Phenotype,
    Prediction,
    Recording,
    Run,
    ShardRow,
    SqlRow,
    TargetValue,
)
from ptacl_core.cohort.search.embeddings import find_latest_run, load_embeddings
from ptacl_core.records import Target


class StoreQueries:
    """Typed questions to the open version of a store."""

    def __init__(self, opened: OpenedStore) -> None:
        self._opened = opened

    # -- people and recordings -------------------------------------------------------------

    def patients(
        self,
        filter_sql: str | None = None,
        order_by: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[SqlRow]:
        """Rows of `overview` (one per patient-visit) as dictionaries.

        `filter_sql` is a predicate over its columns (`lvef_pct < 50 AND sex = 'F'`),
        `order_by` one of its columns, with ` DESC` for descending. Raises QueryError.
        """
        return patient_queries.list_patients(self._opened, filter_sql, order_by, limit, offset)

    def count(self, filter_sql: str | None = None) -> int:
        """How many rows `patients` has. Raises QueryError."""
        return patient_queries.count_patients(self._opened, filter_sql)

    def patient(self, patient: str, visit: int | None = None) -> SqlRow:
        """The row of `overview` of one patient, at the first visit unless `visit` is given.

        Raises CohortError when there is none.
        """
        return patient_queries.find_patient(self._opened, patient, visit)

    def recordings(self, patient: str) -> list[Recording]:
        """The patient's recordings by visit, ECG first."""
        return patient_queries.list_recordings(self._opened, patient)

    def phenotypes(self, patient: str) -> list[Phenotype]:
        """The patient's measured phenotypes by visit, in the package's order."""
        return patient_queries.list_phenotypes(self._opened, patient)

    def targets(self) -> tuple[Target, ...]:
        """The cohort's own targets, beside the ten phenotypes."""
        return target_queries.list_targets(self._opened)

    def target_values(
        self, *, name: str | None = None, patient: str | None = None
    ) -> list[TargetValue]:
        """Measured values of the cohort's own targets: of one target or person, or all."""
        return target_queries.list_target_values(self._opened, name=name, patient=patient)

    def vector_sets(self) -> list[VectorSummary]:
        """Sets of vectors that other models made, by name."""
        return vector_queries.list_vector_sets(self._opened)

    def vectors(self, name: str) -> GivenVectors:
        """One of those sets, by patient and visit. Raises CohortError without it."""
        return vector_queries.load_vector_set(self._opened, name)

    def shard_rows(self, modality: str, patients: Sequence[str] | None = None) -> list[ShardRow]:
        """Where arrays of `modality` lie, of `patients` or all, by patient and visit."""
        return patient_queries.list_shard_rows(self._opened, modality, patients)

    def splits(self, split_name: str = "default") -> dict[str, str]:
        """Patient to part (train, val, test) of a split."""
        rows = self._opened.fetch(
            "SELECT patient, split FROM splits WHERE split_name = ?", [split_name]
        )
        return dict(rows)

    # -- runs and what they made -----------------------------------------------------------

    def runs(self) -> list[Run]:
        """Training runs, the newest first."""
        return run_queries.list_runs(self._opened)

    def latest_run(self) -> str:
        """The newest run that has embeddings or predictions. Raises CohortError without any."""
        return find_latest_run(self._opened)

    def predictions(self, patient: str, run: str | None = None) -> list[Prediction]:
        """Predicted phenotypes with intervals, of `run` (None: all runs, the newest first)."""
        return run_queries.list_predictions(self._opened, patient, run)

    def out_of_distribution(self, patient: str, run: str | None = None) -> list[OutOfDistribution]:
        """How strange the patient's recordings are for `run` (None: all runs)."""
        return run_queries.list_out_of_distribution(self._opened, patient, run)

    def evaluation(self, run: str) -> list[EvaluationResult]:
        """The figures of a run's evaluation."""
        return run_queries.list_evaluation(self._opened, run)

    def evaluation_document(self, run: str) -> Mapping[str, Any] | None:
        """A run's evaluation as the command line printed it; None when there is none."""
        return run_queries.find_evaluation_document(self._opened, run)

    def embeddings(self, run: str, modality: str, space: str = "projected") -> Embeddings:
        """Embeddings of a run, sorted by patient and visit. Raises CohortError without any."""
        return load_embeddings(self._opened, run, modality, space)
