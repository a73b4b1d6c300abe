"""The rows of Table 2 over all seeds, on the test patients that they share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.config.reproduction import (
    Method,
    ReproductionSize,
    name_run,
)
from ptacl_core.config.training import Modality
from ptacl_core.errors import CohortError
from ptacl_core.evaluate import (
    why_undefined,
)
from ptacl_core.evaluate.resampling import draw_resamples
from ptacl_core.evaluate.row_comparison import (
    RowScores,
    score_row,
)
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.stages.evaluate.measure_row import RowFigures, load_row, predict_from_demographics

FIGURES = (*PHENOTYPE_NAMES, "mean")
RESAMPLING_SEED = 2025


@dataclass(frozen=True, slots=True, eq=False)
class ReproducedRow:
    """One row of Table 2 over all seeds."""

    key: str
    title: str
    modality: Modality
    evaluation: str
    published: str
    predicted: Float64[Array, "seed patient target"]
    scores: RowScores
    documents: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, eq=False)
class TableTwoRows:
    """All rows on the test patients that they share."""

    patients: tuple[tuple[str, int], ...]
    observed: Float64[Array, "patient target"]
    rows: dict[str, ReproducedRow]
    demographics: RowScores
    """Baseline of the same probe on sex, age, height and BMI."""


def collect_rows(
    cohort_dir: Path,
    size: ReproductionSize,
    methods: Sequence[Method],
    seeds: Sequence[int],
    *,
    num_resamples: int,
) -> TableTwoRows:
    """Read every row of every seed and score them on the same resampled patients.

    Raises CohortError when rows share fewer than two test patients.
    """
    read = {
        (method.key, modality): [
            load_row(cohort_dir, name_run(size.name, seed, method.run), method.row(modality))
            for seed in seeds
        ]
        for method in methods
        for modality in method.modalities
    }
    demographics = predict_from_demographics(cohort_dir)
    patients = _shared_patients([demographics, *(row for rows in read.values() for row in rows)])
    resamples = draw_resamples(
        len(patients),
        num_resamples=num_resamples,
        generator=np.random.default_rng(RESAMPLING_SEED),
        patients=[name for name, _ in patients],
    )
    observed, baseline = _restrict(demographics, patients)
    rows = {}
    for method in methods:
        for modality in method.modalities:
            found = read[method.key, modality]
            predicted = np.stack([_restrict(row, patients)[1] for row in found])
            rows[method.row(modality)] = ReproducedRow(
                method.row(modality),
                method.title,
                modality,
                method.evaluation,
                method.published,
                predicted,
                score_row(observed, predicted, resamples),
                tuple(row.document for row in found),
            )
    return TableTwoRows(patients, observed, rows, score_row(observed, baseline[None], resamples))


def list_unjudged(table: TableTwoRows) -> dict[str, str]:
    """Phenotypes whose R² is not defined on the test patients, with the reason."""
    reasons = {
        name: why_undefined(table.observed[:, column])
        for column, name in enumerate(PHENOTYPE_NAMES)
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}


def plain(value: float | np.floating) -> float | None:
    """A number of the document; None where it is not defined."""
    return float(value) if np.isfinite(value) else None


def _shared_patients(rows: Sequence[RowFigures]) -> tuple[tuple[str, int], ...]:
    shared = set.intersection(*(set(row.patients) for row in rows))
    patients = tuple(patient for patient in rows[0].patients if patient in shared)
    if len(patients) < 2:
        raise CohortError(
            f"the rows share {len(patients)} test patients; a comparison needs at least two"
        )
    return patients


def _restrict(
    row: RowFigures, patients: Sequence[tuple[str, int]]
) -> tuple[Float64[Array, "patient target"], Float64[Array, "patient target"]]:
    place = {patient: index for index, patient in enumerate(row.patients)}
    chosen = [place[patient] for patient in patients]
    return row.observed[chosen], row.predicted[chosen]
