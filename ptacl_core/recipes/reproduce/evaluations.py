"""What `ptacl evaluate` measured of the aligned runs: alignment, coverage, subgroups."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.config.reproduction import (
    Method,
    ReproductionPlan,
    ReproductionSize,
    name_run,
)
from ptacl_core.config.training import RunSettings
from ptacl_core.documents.evaluation import EVALUATION_FILE, EvaluationDocument
from ptacl_core.documents.model import DocumentError
from ptacl_core.errors import CohortError
from ptacl_core.evaluate.row_comparison import RowScores
from ptacl_core.recipes.reproduce.archive import FindRun
from ptacl_core.recipes.reproduce.steps import describe_scores
from ptacl_core.runs.folder import load_run_config

MAIN = "ptacl"
"""Method whose uncertainty and subgroups are shown; without it the first that was evaluated."""
SECTIONS = ("coverage", "coverage_summary", "subgroups", "calibration")
"""Taken as they are from the evaluation document of the main method's first seed."""


def load_evaluations(
    find_run: FindRun,
    plan: ReproductionPlan,
    size: ReproductionSize,
    methods: Sequence[Method],
    seeds: Sequence[int],
) -> dict[str, list[EvaluationDocument]]:
    """Run → evaluation documents by seed, of the runs that are evaluated. Raises CohortError."""
    return {
        method.run: [_load(find_run(name_run(size.name, seed, method.run))) for seed in seeds]
        for method in methods
        if plan.runs[method.run].is_evaluated
    }


def describe_alignment(
    find_run: FindRun,
    size: ReproductionSize,
    methods: Sequence[Method],
    seeds: Sequence[int],
    evaluations: Mapping[str, Sequence[EvaluationDocument]],
    scores: Mapping[str, RowScores],
) -> list[dict[str, Any]]:
    """One entry per evaluated method: its mean map over seeds, accuracies, controls.

    `scores` are those of `score_steps`: values and intervals over patients and trainings.

    `why_not` stands in their place where steps could not be compared.
    """
    return [
        _describe_map(
            method,
            load_run_config(find_run(name_run(size.name, seeds[0], method.run))),
            [document.as_dict()["alignment"] for document in evaluations[method.run]],
            scores.get(method.key),
        )
        for method in methods
        if method.run in evaluations
    ]


def choose_main(evaluations: Mapping[str, Sequence[EvaluationDocument]]) -> str | None:
    """The run that the uncertainty and subgroup sections show."""
    if MAIN in evaluations:
        return MAIN
    return next(iter(evaluations), None)


def take_sections(document: EvaluationDocument | None) -> dict[str, Any]:
    """Coverage, subgroups and calibration of an evaluation; empty without one."""
    return {} if document is None else {key: getattr(document, key) for key in SECTIONS}


def _describe_map(
    method: Method,
    settings: RunSettings,
    alignments: Sequence[Mapping[str, Any]],
    scores: RowScores | None,
) -> dict[str, Any]:
    facts = {
        "key": method.key,
        "title": method.title,
        "kind": _name_kind(settings),
        "sigma": settings.align.sigma,
        "beta": settings.align.beta,
    }
    unmeasured = next((section for section in alignments if section["map"] is None), None)
    if unmeasured is not None:
        return {**facts, "why_not": unmeasured["why"]}
    if scores is None:
        return {**facts, "why_not": "no test patient has a complete beat"}
    averaged = {
        name: float(np.mean([alignment[name] for alignment in alignments]))
        for name in ("diagonal_mass", "entropy_nats", "mean_circular_offset")
    }
    if all(alignment["own_rank"] is not None for alignment in alignments):
        ranks = [alignment["own_rank"]["value"] for alignment in alignments]
        averaged["own_rank"] = float(np.mean(ranks))
    first = alignments[0]
    return {
        **facts,
        **averaged,
        **describe_scores(scores),
        "own_rank_chance": None if first["own_rank"] is None else first["own_rank"]["chance"],
        "timing_kept": first["timing_kept"],
        "timing_note": first["timing_note"],
        "top1_per_seed": [alignment["top1"] for alignment in alignments],
        "top1_chance": first["top1_chance"],
        "within1_chance": first["within1_chance"],
        "patients": first["patients"],
        "controls": first.get("controls"),
        "map": np.mean([alignment["map"] for alignment in alignments], axis=0).tolist(),
    }


def _name_kind(settings: RunSettings) -> str:
    """How time steps were aligned, in the words of the paper's Fig. 2."""
    if not settings.align.has_local_loss:
        return "global only"
    return "hard" if settings.align.sigma == 0 else "soft"


def _load(run_dir: Path) -> EvaluationDocument:
    try:
        return EvaluationDocument.read(run_dir / "evaluation" / EVALUATION_FILE)
    except DocumentError as error:
        raise CohortError(
            f"run {run_dir.name}: evaluation/{error}; remove runs/{run_dir.name}/reproduce.json "
            "and reproduce again"
        ) from None
