"""The rows of Table 2 over all seeds, on the test patients that they share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array, Float64, Modality
from ptacl_core.config.reproduction import Method, ReproductionSize, name_run
from ptacl_core.documents.table_two import NestedQuestion
from ptacl_core.embedding.patients import load_split
from ptacl_core.errors import CohortError
from ptacl_core.evaluate import Resamples, why_undefined
from ptacl_core.evaluate.bars import LabelCurve, LabelPoint
from ptacl_core.evaluate.bars.label_curve import NUM_DRAWS
from ptacl_core.evaluate.references import TABLE_2
from ptacl_core.evaluate.resampling import BOOTSTRAP_SEED, draw_resamples
from ptacl_core.evaluate.row_comparison import RowScores, score_row
from ptacl_core.progress import ProgressSink
from ptacl_core.recipes.reproduce.archive import FindRun
from ptacl_core.recipes.reproduce.ceilings import Ceilings
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.runs.health import stage_failures
from ptacl_core.shards import ShardReader
from ptacl_core.stages.evaluate.bars import Bars, measure_bars
from ptacl_core.stages.evaluate.label_curves import ScoredCurve, describe_curve, score_curves
from ptacl_core.stages.evaluate.measure_row import (
    RowDocument,
    RowFigures,
    load_row,
    predict_from_demographics,
)
from ptacl_core.stages.evaluate.nested import ask_nested
from ptacl_core.stages.evaluate.table_two import (
    BAR_OF,
    RANDOM,
    RIDGE,
    RowFacts,
    TableTwo,
)


@dataclass(frozen=True, slots=True, eq=False)
class TableTwoRows:
    """All rows on the test patients that they share.

    `failures` are the reasons by row why its training counts as not learned.
    """

    patients: tuple[tuple[str, int], ...]
    observed: Float64[Array, "patient target"]
    resamples: Resamples
    table: TableTwo
    nested: tuple[NestedQuestion, ...]
    documents: dict[str, tuple[RowDocument, ...]]
    failures: dict[str, tuple[str, ...]]

    def scores(self, key: str) -> RowScores | None:
        """R² of a row; None where it was not reproduced."""
        return self.table.scores.get(key)


def collect_rows(
    cohort_dir: Path,
    find_run: FindRun,
    size: ReproductionSize,
    methods: Sequence[Method],
    seeds: Sequence[int],
    *,
    num_resamples: int,
    ceilings: Ceilings | None,
    progress: ProgressSink,
) -> TableTwoRows:
    """Read every row of every seed and score them on the same resampled patients.

    The rows without learning are measured here. Raises CohortError when rows share fewer than
    two test patients.
    """
    read = {
        method.row(modality): [
            load_row(cohort_dir, name_run(size.name, seed, method.run), method.row(modality))
            for seed in seeds
        ]
        for method in methods
        for modality in method.modalities
    }
    demographics = predict_from_demographics(cohort_dir)
    measured = (row.patients for rows in read.values() for row in rows)
    patients = _shared_patients([demographics.patients, *measured])
    resamples = draw_resamples(
        len(patients),
        num_resamples=num_resamples,
        generator=np.random.default_rng(BOOTSTRAP_SEED),
        patients=[name for name, _ in patients],
    )
    with ShardReader.open(cohort_dir) as reader:
        train, test = load_split(reader, "train"), load_split(reader, "test")
        bars = measure_bars(reader, train, test, progress)
        kept = _places(demographics.patients, patients)
        sex = [test.sex[index] for index in kept]
    observed, baseline = demographics.observed[kept], demographics.predicted[kept]
    table = TableTwo(observed, sex, resamples, baseline)
    curves = _add_bars(table, bars, kept)
    failures = {
        method.row(modality): _find_failures(find_run, size, method, modality, seeds)
        for method in methods
        for modality in method.modalities
    }
    nested = []
    for method in methods:
        for modality in method.modalities:
            key = method.row(modality)
            rows = [_restrict(row, patients) for row in read[key]]
            _add_row(table, method, modality, rows, curves, failures, ceilings)
            together = [row.nested for row in rows if row.nested is not None]
            if len(together) == len(rows):
                nested.append(
                    ask_nested(
                        method.key, f"the ECG ({method.title})", observed, baseline,
                        np.stack(together), resamples,
                        is_trained=True, failures=failures[key],
                    )
                )  # fmt: skip
    documents = {key: tuple(row.document for row in rows) for key, rows in read.items()}
    return TableTwoRows(patients, observed, resamples, table, tuple(nested), documents, failures)


def list_unjudged(table: TableTwoRows) -> dict[str, str]:
    """Phenotypes whose R² is not defined on the test patients, with the reason."""
    reasons = {
        name: why_undefined(table.observed[:, column])
        for column, name in enumerate(PHENOTYPE_NAMES)
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _add_bars(table: TableTwo, bars: Bars, kept: list[int]) -> dict[str, ScoredCurve]:
    """Rows without learning; returns the curves that others are held against, by modality."""
    curves: dict[str, ScoredCurve] = {}
    for bar in bars.rows:
        curve = _take(bar.curve, kept)
        scored = score_curves([curve], table.observed, table.resamples, is_trained=False)
        is_line = bar.key == BAR_OF[bar.modality]
        over = None if is_line else curves[bar.modality]
        if is_line:
            curves[bar.modality] = scored
        facts = RowFacts(
            label_curve=describe_curve(scored, over, num_draws=NUM_DRAWS),
            note="no learning; not in the paper",
        )
        table.add(
            bar.key, bar.name, bar.modality, RIDGE, curve.with_all[None],
            is_trained=False, facts=facts,
        )  # fmt: skip
    return curves


def _add_row(
    table: TableTwo,
    method: Method,
    modality: Modality,
    rows: Sequence[RowFigures],
    curves: dict[str, ScoredCurve],
    failures: dict[str, tuple[str, ...]],
    ceilings: Ceilings | None,
) -> None:
    key = method.row(modality)
    published, note = _find_published(method, modality)
    predicted = np.stack([row.predicted for row in rows])
    failures[key] = (*failures[key], *_below_random(table, method, modality, predicted))
    points = ()
    with_curve = [row.curve for row in rows if row.curve is not None]
    if len(with_curve) == len(rows):
        scored = score_curves(with_curve, table.observed, table.resamples, is_trained=True)
        untrained = [method.title] if failures[key] else ()
        points = describe_curve(scored, curves[modality], num_draws=NUM_DRAWS, untrained=untrained)
    facts = RowFacts(
        published=published,
        published_note=note,
        ceilings=_choose_ceiling(ceilings, modality),
        failures=failures[key],
        label_curve=points,
        weights_sha256=tuple(row.document["weights_sha256"] for row in rows),
    )
    table.add(
        key, method.title, modality, method.evaluation, predicted, is_trained=True, facts=facts
    )


def _find_failures(
    find_run: FindRun,
    size: ReproductionSize,
    method: Method,
    modality: Modality,
    seeds: Sequence[int],
) -> tuple[str, ...]:
    """Reasons why the stage that a row measures has not learned, by seed."""
    stage = {
        "random": "",
        "pretrain": modality,
        "align": "align",
        "finetune": f"finetune-{modality}",
        "supervised": f"supervised-{modality}",
    }[method.stage]
    return tuple(
        f"seed {seed}: {reason}"
        for seed in seeds
        for reason in stage_failures(find_run(name_run(size.name, seed, method.run)), stage)
    )


def _below_random(
    table: TableTwo,
    method: Method,
    modality: Modality,
    predicted: Float64[Array, "seed patient target"],
) -> tuple[str, ...]:
    """The reason where a row's mean R² lies below the untrained encoder's."""
    random = table.scores.get(f"{RANDOM}-{modality}")
    if random is None or method.stage == "random":
        return ()

    value = float(score_row(table.observed, predicted, table.resamples).mean[-1])
    if value >= float(random.mean[-1]):
        return ()
    return (f"mean R² {value:.3f} is below the {random.mean[-1]:.3f} of the untrained encoder",)


def _find_published(method: Method, modality: Modality) -> tuple[dict[str, float | None], str]:
    """The paper's R² per phenotype and their mean; empty where the paper has no such row."""
    for published in TABLE_2:
        place = (published.modality, published.method, published.evaluation)
        if place == (modality.upper(), method.published, method.evaluation):
            values = dict(published.r2)
            known = [value for value in published.r2.values() if value is not None]
            values["mean"] = sum(known) / len(known) if len(known) == len(published.r2) else None
            return values, published.note
    return {}, ""


def _choose_ceiling(ceilings: Ceilings | None, modality: Modality) -> dict[str, float] | None:
    if ceilings is None:
        return None
    return {
        name: ceilings[name].oracle_r2 if modality == "ecg" else ceilings[name].label_reliability
        for name in PHENOTYPE_NAMES
    }


def _shared_patients(
    patients_by_row: Sequence[tuple[tuple[str, int], ...]],
) -> tuple[tuple[str, int], ...]:
    shared = set.intersection(*(set(patients) for patients in patients_by_row))
    patients = tuple(patient for patient in patients_by_row[0] if patient in shared)
    if len(patients) < 2:
        raise CohortError(
            f"the rows share {len(patients)} test patients; a comparison needs at least two"
        )
    return patients


def _places(of_row: Sequence[tuple[str, int]], patients: Sequence[tuple[str, int]]) -> list[int]:
    place = {patient: index for index, patient in enumerate(of_row)}
    return [place[patient] for patient in patients]


def _restrict(row: RowFigures, patients: tuple[tuple[str, int], ...]) -> RowFigures:
    """The row on the patients that all rows share, in their order."""
    kept = _places(row.patients, patients)
    return RowFigures(
        patients,
        row.observed[kept],
        row.predicted[kept],
        row.document,
        None if row.curve is None else _take(row.curve, kept),
        None if row.nested is None else row.nested[kept],
    )


def _take(curve: LabelCurve, kept: list[int]) -> LabelCurve:
    return LabelCurve(
        tuple(
            LabelPoint(point.num_labels, point.is_all, point.predicted[:, kept])
            for point in curve.points
        )
    )
