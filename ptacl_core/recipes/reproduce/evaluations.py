"""What `ptacl evaluate` measured of the aligned runs: alignment, coverage, subgroups."""

import json
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
from ptacl_core.errors import CohortError
from ptacl_core.runs.folder import load_run_config

MAIN = "ptacl"
"""Method whose uncertainty and subgroups are shown; without it the first that was evaluated."""
SECTIONS = ("coverage", "coverage_summary", "subgroups", "calibration")
"""Taken as they are from the evaluation document of the main method's first seed."""


def load_evaluations(
    cohort_dir: Path,
    plan: ReproductionPlan,
    size: ReproductionSize,
    methods: Sequence[Method],
    seeds: Sequence[int],
) -> dict[str, list[dict[str, Any]]]:
    """Run → evaluation documents by seed, of the runs that are evaluated. Raises CohortError."""
    return {
        method.run: [
            _load(cohort_dir / "runs" / name_run(size.name, seed, method.run)) for seed in seeds
        ]
        for method in methods
        if plan.runs[method.run].is_evaluated
    }


def describe_alignment(
    cohort_dir: Path,
    size: ReproductionSize,
    methods: Sequence[Method],
    seeds: Sequence[int],
    evaluations: Mapping[str, Sequence[dict[str, Any]]],
) -> list[dict[str, Any]]:
    """One entry per evaluated method: its mean map over seeds, accuracies, controls.

    `why_not` stands in their place where steps could not be compared.
    """
    return [
        _describe_map(
            method,
            load_run_config(cohort_dir / "runs" / name_run(size.name, seeds[0], method.run)),
            [document["alignment"] for document in evaluations[method.run]],
        )
        for method in methods
        if method.run in evaluations
    ]


def choose_main(evaluations: Mapping[str, Sequence[dict[str, Any]]]) -> str | None:
    """The run that the uncertainty and subgroup sections show."""
    if MAIN in evaluations:
        return MAIN
    return next(iter(evaluations), None)


def take_sections(document: Mapping[str, Any] | None) -> tuple[dict[str, Any], list[str]]:
    """The sections there are, and the names of those that are not."""
    found = {} if document is None else {key: document[key] for key in SECTIONS if key in document}
    return found, [key for key in SECTIONS if key not in found]


def _describe_map(
    method: Method, settings: RunSettings, alignments: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    facts = {
        "key": method.key,
        "title": method.title,
        "kind": _name_kind(settings),
        "sigma": settings.align.sigma,
        "beta": settings.align.beta,
    }
    unmeasured = next((each for each in alignments if each["map"] is None), None)
    if unmeasured is not None:
        return {**facts, "why_not": unmeasured["why"]}
    averaged = {
        name: float(np.mean([alignment[name] for alignment in alignments]))
        for name in ("top1", "within1", "diagonal_mass", "entropy_nats", "mean_circular_offset")
    }
    first = alignments[0]
    return {
        **facts,
        **averaged,
        "top1_interval": first["top1_interval"],
        "within1_interval": first["within1_interval"],
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


def _load(run_dir: Path) -> dict[str, Any]:
    try:
        return json.loads((run_dir / "evaluation" / "evaluation.json").read_text())
    except (OSError, ValueError) as error:
        raise CohortError(
            f"run {run_dir.name}: evaluation/evaluation.json cannot be read "
            f"({type(error).__name__}); remove runs/{run_dir.name}/reproduce.json and reproduce "
            "again"
        ) from None
