"""`runs/<run>/model_card.md`: what a run is, from what is on disk about it."""

from pathlib import Path
from typing import TypedDict

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.checkpoint import DOCUMENT_FILE, FINAL, WEIGHTS_FILE, load_document
from ptacl_core.cohort import Cohort
from ptacl_core.documents.evaluation import EVALUATION_FILE, EvaluationDocument
from ptacl_core.documents.figures import SOURCE_NOTES, finite
from ptacl_core.documents.model import DocumentError
from ptacl_core.embedding.patients import EvaluationSplit, describe_rows
from ptacl_core.errors import CohortError
from ptacl_core.evaluate.resampling import BOOTSTRAP_SEED, Resamples, draw_resamples
from ptacl_core.evaluate.row_comparison import score_row
from ptacl_core.json_values import JsonObject
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.report.markdown import render_markdown
from ptacl_core.report.model_card import build_model_card
from ptacl_core.runs.folder import load_run_config
from ptacl_core.runs.health import read_health
from ptacl_core.runs.provenance import describe_machine, describe_software
from ptacl_core.safety.files.atomic import write_text
from ptacl_core.shards import ShardReader
from ptacl_core.stages.evaluate.measure_row import hash_patients, list_rows, load_row

CARD_FILE = "model_card.md"
_NUM_RESAMPLES = 1000


class Moments(TypedDict):
    """Mean and standard deviation; None of nobody."""

    mean: float | None
    sd: float | None


class SplitFacts(TypedDict):
    """Who is in a split."""

    name: str
    pairs: int
    patients: int
    share_female: float | None
    age_years: Moments
    bmi_kg_m2: Moments


class StageFacts(TypedDict):
    """How far a stage was trained, and the hash of its weights."""

    stage: str
    step: int
    last_loss: object
    sha256: str


class HealthFacts(TypedDict):
    """Whether a stage has learned."""

    stage: str
    learned: bool
    reasons: tuple[str, ...]
    hints: tuple[str, ...]


class Interval(TypedDict):
    """R² with its interval."""

    r2: float | None
    low: float | None
    high: float | None


class RowFacts(TypedDict):
    """R² of a row by phenotype."""

    key: str
    name: str
    modality: str
    phenotypes: dict[str, Interval]
    mean: Interval


def run(cohort_dir: Path, run_name: str) -> Path:
    """Write the card of a run; returns its path.

    Figures come from the run's evaluation, and from its rows where it has no evaluation.
    Raises CohortError when there is no such run.
    """
    directory = cohort_dir / "runs" / run_name
    if not directory.is_dir():
        raise CohortError(f"{cohort_dir.name}: no run '{run_name}' to write a model card of")
    settings = load_run_config(directory)
    with ShardReader.open(cohort_dir) as reader:
        splits = [
            _describe_split(name, describe_rows(reader, reader.rows(name)))
            for name in ("train", "val", "test")
        ]
        patients_hash = hash_patients(reader)
    with Cohort.open(cohort_dir) as cohort:
        description = cohort.description
    evaluation = _read_evaluation(directory)
    facts = {
        "run": run_name,
        "settings": settings.model_dump(mode="json"),
        "settings_hash": settings.hash(),
        "note": SOURCE_NOTES[description.source],
        "cohort": {
            "name": description.name,
            "source": description.source,
            "preprocessing_hash": description.preprocessing_hash,
            "patients_hash": patients_hash,
        },
        "splits": splits,
        "stages": _describe_stages(directory),
        "health": _describe_health(directory),
        "taken_from": settings.pretrained_from.model_dump(exclude_none=True),
        "evaluation": evaluation,
        "measured_rows": [] if evaluation else _describe_rows(cohort_dir, run_name),
        "software": describe_software(),
        "machine": describe_machine().model_dump(),
    }
    path = directory / CARD_FILE
    write_text(path, render_markdown(build_model_card(facts)))
    return path


def _describe_split(name: str, split: EvaluationSplit) -> SplitFacts:
    known = [sex for sex in split.sex if sex]
    return {
        "name": name,
        "pairs": len(split),
        "patients": len(set(split.patients)),
        "share_female": known.count("F") / len(known) if known else None,
        "age_years": _moments(split.covariates[:, 1]),
        "bmi_kg_m2": _moments(split.covariates[:, 4]),
    }


def _moments(values: Float64[Array, " row"]) -> Moments:
    present = values[np.isfinite(values)]
    if not present.size:
        return {"mean": None, "sd": None}
    return {"mean": float(present.mean()), "sd": float(present.std())}


def _describe_stages(directory: Path) -> list[StageFacts]:
    described: list[StageFacts] = []
    for path in sorted((directory / "checkpoints").glob(f"*/{FINAL}/{DOCUMENT_FILE}")):
        document = load_document(path.parent)
        described.append(
            {
                "stage": document.stage,
                "step": document.step,
                "last_loss": document.position.get("last_loss"),
                "sha256": document.files[WEIGHTS_FILE].sha256,
            }
        )
    return described


def _read_evaluation(directory: Path) -> JsonObject | None:
    path = directory / "evaluation" / EVALUATION_FILE
    if not path.exists():
        return None
    try:
        return EvaluationDocument.read(path).as_dict()
    except DocumentError as error:
        raise CohortError(
            f"run {directory.name}: evaluation/{error}; `ptacl evaluate` makes it anew"
        ) from None


def _describe_health(directory: Path) -> list[HealthFacts]:
    """The verdict on each stage; empty of a run trained before it was measured."""
    health = read_health(directory)
    if health is None:
        return []
    return [
        {
            "stage": name,
            "learned": stage_health.learned,
            "reasons": stage_health.reasons,
            "hints": stage_health.hints,
        }
        for name, stage_health in health.stages.items()
    ]


def _describe_rows(cohort_dir: Path, run_name: str) -> list[RowFacts]:
    """R² with intervals of the rows that were measured of this run."""
    rows = [load_row(cohort_dir, run_name, row) for row in list_rows(cohort_dir, run_name)]
    described: list[RowFacts] = []
    for row in rows:
        resamples = _resample(row.patients)
        scores = score_row(row.observed, row.predicted[None], resamples)
        low, high = scores.bound(0.025), scores.bound(0.975)
        cells: list[Interval] = [
            {
                "r2": finite(scores.mean[index]),
                "low": finite(low[index]),
                "high": finite(high[index]),
            }
            for index in range(len(PHENOTYPE_NAMES) + 1)
        ]
        described.append(
            {
                "key": row.document["row"],
                "name": row.document["row"],
                "modality": row.document["modality"],
                "phenotypes": {**dict(zip(PHENOTYPE_NAMES, cells[:-1], strict=True))},
                "mean": cells[-1],
            }
        )
    return described


def _resample(patients: tuple[tuple[str, int], ...]) -> Resamples:
    return draw_resamples(
        len(patients),
        generator=np.random.default_rng(BOOTSTRAP_SEED),
        num_resamples=_NUM_RESAMPLES,
        patients=[name for name, _ in patients],
    )
