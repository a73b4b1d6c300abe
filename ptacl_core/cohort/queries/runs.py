"""Typed queries about runs: predictions, evaluation, embeddings."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ptacl_core.cohort.queries.patients import phenotype_order
from ptacl_core.cohort.rows import (
    EvaluationResult,
    OutOfDistribution,
    Prediction,
    Run,
)

if TYPE_CHECKING:
    from ptacl_core.cohort.opened_store import OpenedStore


def list_runs(opened: "OpenedStore") -> list[Run]:
    """See `Cohort.runs`."""
    rows = opened.fetch_dicts("SELECT * FROM runs ORDER BY created_at DESC, run DESC")
    return [Run(**row) for row in rows]


def list_predictions(opened: "OpenedStore", patient: str, run: str | None) -> list[Prediction]:
    """See `Cohort.predictions`."""
    rows = opened.fetch(
        "SELECT run, visit, name, value, low, high, unit, coverage, interval_group, z_score "
        "FROM predictions p LEFT JOIN (SELECT run, created_at FROM runs) r USING (run) "
        "WHERE patient = ? AND (?::VARCHAR IS NULL OR run = ?) "
        "ORDER BY r.created_at DESC, run DESC, visit",
        [patient, run, run],
    )
    by_recording: dict[tuple[str, int], list[Prediction]] = {}
    for row in rows:
        by_recording.setdefault((row[0], row[1]), []).append(Prediction(*row))
    return [
        prediction
        for group in by_recording.values()
        for prediction in sorted(group, key=lambda prediction: phenotype_order(prediction.name))
    ]


def list_out_of_distribution(
    opened: "OpenedStore", patient: str, run: str | None
) -> list[OutOfDistribution]:
    """See `Cohort.out_of_distribution`."""
    rows = opened.fetch(
        "SELECT run, visit, modality, score, threshold, is_flagged FROM out_of_distribution "
        "WHERE patient = ? AND (?::VARCHAR IS NULL OR run = ?) ORDER BY run, visit, modality DESC",
        [patient, run, run],
    )
    return [OutOfDistribution(*row) for row in rows]


def list_evaluation(opened: "OpenedStore", run: str) -> list[EvaluationResult]:
    """See `Cohort.evaluation`."""
    rows = opened.fetch(
        "SELECT section, variant, modality, phenotype, metric, value, low, high "
        "FROM evaluation_results WHERE run = ? ORDER BY section, variant, modality, metric",
        [run],
    )
    results = [EvaluationResult(*row) for row in rows]
    return sorted(
        results,
        key=lambda result: (
            result.section,
            result.variant,
            result.modality,
            phenotype_order(result.phenotype),
            result.metric,
        ),
    )


def find_evaluation_document(opened: "OpenedStore", run: str) -> Mapping[str, Any] | None:
    """See `Cohort.evaluation_document`."""
    rows = opened.fetch("SELECT document_json FROM evaluation_documents WHERE run = ?", [run])
    return json.loads(rows[0][0]) if rows else None
