"""Typed queries about runs: predictions, evaluation, embeddings."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ptacl_core.cohort.embedding_rows import EmbeddingKey, read_vectors
from ptacl_core.cohort.queries.patients import phenotype_order
from ptacl_core.cohort.rows import (
    Embeddings,
    EvaluationResult,
    OutOfDistribution,
    Prediction,
    Run,
)
from ptacl_core.errors import CohortError

if TYPE_CHECKING:
    from ptacl_core.cohort.store import Cohort


def list_runs(cohort: "Cohort") -> list[Run]:
    """See `Cohort.runs`."""
    rows = cohort.fetch_dicts("SELECT * FROM runs ORDER BY created_at DESC, run DESC")
    return [Run(**row) for row in rows]


def find_latest_run(cohort: "Cohort") -> str:
    """See `Cohort.latest_run`."""
    rows = cohort.fetch("SELECT run FROM latest_run")
    if not rows:
        raise CohortError(
            "this cohort has no embeddings yet; train a run and write its embeddings with "
            "'ptacl embed COHORT --run RUN'"
        )
    return str(rows[0][0])


def list_predictions(cohort: "Cohort", patient: str, run: str | None) -> list[Prediction]:
    """See `Cohort.predictions`."""
    rows = cohort.fetch(
        "SELECT run, visit, name, value, low, high, unit, coverage, interval_group, z_score "
        "FROM predictions p LEFT JOIN (SELECT run, created_at FROM runs) r USING (run) "
        "WHERE patient = ? AND (?::VARCHAR IS NULL OR run = ?) "
        "ORDER BY r.created_at DESC, run DESC, visit",
        [patient, run, run],
    )
    found: dict[tuple[str, int], list[Prediction]] = {}
    for row in rows:
        found.setdefault((row[0], row[1]), []).append(Prediction(*row))
    return [
        each
        for group in found.values()
        for each in sorted(group, key=lambda each: phenotype_order(each.name))
    ]


def list_out_of_distribution(
    cohort: "Cohort", patient: str, run: str | None
) -> list[OutOfDistribution]:
    """See `Cohort.out_of_distribution`."""
    rows = cohort.fetch(
        "SELECT run, visit, modality, score, threshold, is_flagged FROM out_of_distribution "
        "WHERE patient = ? AND (?::VARCHAR IS NULL OR run = ?) ORDER BY run, visit, modality DESC",
        [patient, run, run],
    )
    return [OutOfDistribution(*row) for row in rows]


def list_evaluation(cohort: "Cohort", run: str) -> list[EvaluationResult]:
    """See `Cohort.evaluation`."""
    rows = cohort.fetch(
        "SELECT section, variant, modality, phenotype, metric, value, low, high "
        "FROM evaluation_results WHERE run = ? ORDER BY section, variant, modality, metric",
        [run],
    )
    found = [EvaluationResult(*row) for row in rows]
    return sorted(
        found,
        key=lambda each: (
            each.section,
            each.variant,
            each.modality,
            phenotype_order(each.phenotype),
            each.metric,
        ),
    )


def find_evaluation_document(cohort: "Cohort", run: str) -> Mapping[str, Any] | None:
    """See `Cohort.evaluation_document`."""
    rows = cohort.fetch("SELECT document_json FROM evaluation_documents WHERE run = ?", [run])
    return json.loads(rows[0][0]) if rows else None


def load_embeddings(cohort: "Cohort", run: str, modality: str, space: str) -> Embeddings:
    """See `Cohort.embeddings`; the arrays are kept for the open version of the store."""
    key = ("embeddings", run, modality, space)
    found = cohort.opened.cache.get(key)
    if found is None:
        with cohort.opened.cursor() as cursor:
            keys, vectors = read_vectors(cursor, EmbeddingKey(run, modality, space))
        if not keys:
            raise CohortError(
                f"run {run!r} has no embeddings of {modality} ({space}); write them with "
                f"'ptacl embed COHORT --run {run}'"
            )
        fingerprint = cohort.fetch(
            "SELECT fingerprint FROM embedding_sets WHERE run = ? AND modality = ? AND space = ?",
            [run, modality, space],
        )[0][0]
        vectors.flags.writeable = False
        found = cohort.opened.cache[key] = Embeddings(
            run=run,
            modality=modality,
            space=space,
            patients=tuple(each[0] for each in keys),
            visits=np.array([each[1] for each in keys], np.int64),
            vectors=vectors,
            fingerprint=str(fingerprint),
        )
    return found
