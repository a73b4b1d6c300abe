"""Two cohorts or sites side by side: people, phenotypes, recordings, quality, embeddings."""

from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core import __version__
from ptacl_core.arrays import Array, Float64
from ptacl_core.embedding.patients import EvaluationSplit, describe_rows
from ptacl_core.errors import CheckpointError, CohortError
from ptacl_core.evaluate import (
    Stability,
    holm_adjust,
    stability_of_categories,
    stability_of_numbers,
    standardised_difference,
)
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.runs.choose import load_aligned_run
from ptacl_core.shards import ShardReader
from ptacl_core.shards.spec import COVARIATE_NAMES, MEASUREMENT_NAMES
from ptacl_core.stages.drift.embeddings import compare_embeddings

ALPHA = 0.05
LITTLE_PSI = 0.1
"""A stability index below it is not drift worth a name, however sure."""


def run(
    cohort_dir: Path,
    other_dir: Path,
    *,
    run: str | None = None,
    num_permutations: int = 500,
    device: str = "auto",
    progress: ProgressSink = SILENT,
) -> dict[str, Any]:
    """How `other_dir` differs from `cohort_dir`, and what `run` of the latter makes of it.

    Variables are compared over all visits; embeddings, outliers, R² and coverage of the run's
    intervals between the cohort's test patients and all of the other. Without a trained run,
    or on recordings that were prepared otherwise, `embeddings` says why there are none.
    Raises CohortError or ShardError when one of the two is not a cohort.
    """
    for folder in (cohort_dir, other_dir):
        if not folder.is_dir():
            raise CohortError(f"{folder}: expected a cohort directory, found none there")
    with ShardReader.open(cohort_dir) as reference, ShardReader.open(other_dir) as other:
        people = tuple(
            describe_rows(each, each.rows(needs=("ecg",))) for each in (reference, other)
        )
        for folder, split in zip((cohort_dir, other_dir), people, strict=True):
            if len(split) < 2:
                raise CohortError(f"{folder}: {len(split)} ECGs; drift needs two or more")
        sections = {
            "covariates": _compare_covariates(people),
            "phenotypes": {
                name: _compare_numbers(*(split.phenotypes[:, column] for split in people))
                for column, name in enumerate(PHENOTYPE_NAMES)
            },
            "recordings": {
                name: _compare_numbers(
                    reference.column(name, people[0].rows), other.column(name, people[1].rows)
                )
                for name in ("heart_rate_bpm", *MEASUREMENT_NAMES)
            },
            "quality": _compare_quality(people),
        }
        try:
            aligned = load_aligned_run(cohort_dir, run, device=device)
        except (CohortError, CheckpointError) as error:
            if run is not None:
                raise
            embeddings: dict[str, Any] = {"why": str(error)}
        else:
            embeddings = compare_embeddings(
                aligned, (reference, other), num_permutations=num_permutations, progress=progress
            )
    shifted = _judge(sections)
    return {
        "cohort": str(cohort_dir),
        "other": str(other_dir),
        "patients": {"cohort": len(people[0]), "other": len(people[1])},
        **sections,
        "embeddings": embeddings,
        "shifted": shifted,
        "text": _describe(shifted, embeddings),
        "software": __version__,
    }


def _compare_covariates(people: tuple[EvaluationSplit, ...]) -> dict[str, Any]:
    numbers = {
        name: _compare_numbers(*(split.covariates[:, column] for split in people))
        for column, name in enumerate(COVARIATE_NAMES)
        if name != "sex_male"
    }
    return {"sex": _compare_categories(*(list(filter(None, s.sex)) for s in people)), **numbers}


def _compare_numbers(
    reference: Float64[Array, " patient"], other: Float64[Array, " other"]
) -> dict[str, Any]:
    """One variable; nulls and the reason where a cohort has none of it."""
    known = [values[np.isfinite(values)] for values in (reference, other)]
    counts = {"n": len(known[0]), "other_n": len(known[1])}
    if not all(counts.values()):
        return {**counts, "psi": None, "p_value": None, "why": "absent from one cohort"}
    difference = standardised_difference(*known)
    return {
        **counts,
        "mean": float(known[0].mean()),
        "other_mean": float(known[1].mean()),
        "sd": float(known[0].std()),
        "other_sd": float(known[1].std()),
        "difference_sd": dict(
            zip(("value", "low", "high"), (_finite(each) for each in difference), strict=True)
        ),
        **_stability(stability_of_numbers(*known)),
    }


def _compare_categories(reference: list[str], other: list[str]) -> dict[str, Any]:
    counts = {"n": len(reference), "other_n": len(other)}
    if not all(counts.values()):
        return {**counts, "psi": None, "p_value": None, "why": "absent from one cohort"}
    names = sorted({*reference, *other})
    return {
        **counts,
        "shares": {name: reference.count(name) / len(reference) for name in names},
        "other_shares": {name: other.count(name) / len(other) for name in names},
        **_stability(stability_of_categories(reference, other)),
    }


def _stability(found: Stability) -> dict[str, Any]:
    return {"psi": found.psi, "p_value": found.p_value, "bins": found.num_bins}


def _compare_quality(people: tuple[EvaluationSplit, ...]) -> dict[str, Any]:
    """Share of ECGs with each finding, and with any warning."""
    codes = [split.ecg_codes for split in people]
    names = sorted({code for each in codes for found in each for code in found})
    sections = {
        name: _compare_categories(
            *(["yes" if name in found else "no" for found in each] for each in codes)
        )
        for name in names
    }
    warnings = (
        ["warning" if flag else "good" for flag in split.has_warning.tolist()] for split in people
    )
    return {"any_warning": _compare_categories(*warnings), **sections}


def _judge(sections: dict[str, Any]) -> list[dict[str, Any]]:
    """Variables that drifted: sure after Holm's adjustment, and more than a little."""
    cells = [
        (section, name, cell)
        for section, entries in sections.items()
        for name, cell in entries.items()
        if cell["p_value"] is not None
    ]
    adjusted = holm_adjust(np.array([cell["p_value"] for _, _, cell in cells]))
    shifted = []
    for (section, name, cell), p_value in zip(cells, adjusted.tolist(), strict=True):
        cell["p_adjusted"] = p_value
        cell["is_shifted"] = p_value < ALPHA and cell["psi"] >= LITTLE_PSI
        if cell["is_shifted"]:
            shifted.append({"section": section, "name": name, "psi": cell["psi"]})
    return sorted(shifted, key=lambda each: -each["psi"])


def _describe(shifted: list[dict[str, Any]], embeddings: dict[str, Any]) -> str:
    parts = ["The variables are alike."]
    if shifted:
        named = ", ".join(f"{each['name']} (PSI {each['psi']:.2f})" for each in shifted[:5])
        parts = [f"DRIFT in {len(shifted)} variables: {named}."]
    if "mmd" in embeddings:
        is_apart = embeddings["mmd"]["p_value"] < ALPHA
        parts.append(
            f"The embeddings {'DIFFER' if is_apart else 'do not differ'} "
            f"(MMD p = {embeddings['mmd']['p_value']:.3f}); "
            f"{embeddings['outliers']['other'] * 100:.0f} % of the other cohort's ECGs are out of "
            f"distribution, {embeddings['outliers']['cohort'] * 100:.0f} % of this one's."
        )
        parts.append(embeddings["coverage_summary"]["text"])
    else:
        parts.append(f"No embeddings were compared: {embeddings['why']}.")
    return " ".join(parts)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
