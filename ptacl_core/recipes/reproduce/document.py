"""The document of a reproduction: everything that its report shows, as plain values."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ptacl_core.cohort import Cohort
from ptacl_core.config.reproduction import (
    Method,
    ReproductionPlan,
    ReproductionSize,
    name_run,
    plan_run,
)
from ptacl_core.evaluate.references import SOURCE
from ptacl_core.recipes.reproduce.differences import describe_comparisons, describe_trend
from ptacl_core.recipes.reproduce.durations import describe_durations
from ptacl_core.recipes.reproduce.evaluations import (
    choose_main,
    describe_alignment,
    load_evaluations,
    take_sections,
)
from ptacl_core.recipes.reproduce.retrieval import describe_retrieval
from ptacl_core.recipes.reproduce.rows import collect_rows, list_unjudged
from ptacl_core.recipes.reproduce.table_two import describe_rows
from ptacl_core.runs.provenance import describe_machine, describe_software

KIND = "ptacl-reproduction"
FORMAT = 1
NOTES = {
    "simulated": "Simulated patients: evidence about the code, never about hearts.",
    "files": "Measured on this cohort's held-out patients.",
}


def summarise(
    cohort_dir: Path,
    plan: ReproductionPlan,
    size: ReproductionSize,
    methods: Sequence[Method],
    *,
    seeds: Sequence[int],
    steps: Mapping[int, Mapping[str, Mapping[str, Any]]],
    num_resamples: int,
) -> dict[str, Any]:
    """Read all that was measured and put it into one document. Raises CohortError."""
    with Cohort.open(cohort_dir) as cohort:
        description = cohort.description
    table = collect_rows(cohort_dir, size, methods, seeds, num_resamples=num_resamples)
    evaluations = load_evaluations(cohort_dir, plan, size, methods, seeds)
    main = choose_main(evaluations)
    sections, lacking = take_sections(evaluations[main][0] if main else None)
    card = _read_json(cohort_dir / "card.json")
    ceilings = card.get("phenotypes") if card else None
    first = next(iter(table.rows.values())).documents[0]
    return {
        "kind": KIND,
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "size": size.name,
        "size_notes": size.notes,
        "seeds": list(seeds),
        "methods": [method.key for method in methods],
        "is_whole": len(methods) == len(plan.methods),
        "note": NOTES[description.source],
        "published_source": SOURCE,
        "resamples": num_resamples,
        "cohort": {
            "name": description.name,
            "source": description.source,
            "preprocessing_hash": description.preprocessing_hash,
            "patients_hash": first["patients_hash"],
            "train": first["num_train"],
            "test": len(table.patients),
            "unjudged": list_unjudged(table),
        },
        "rows": describe_rows(table, ceilings),
        "comparisons": describe_comparisons(plan, table),
        "trend": describe_trend(plan, table),
        "retrieval": describe_retrieval(
            cohort_dir,
            size,
            methods,
            seeds,
            evaluations,
            table,
            num_resamples=num_resamples,
        ),
        "alignment": describe_alignment(cohort_dir, size, methods, seeds, evaluations),
        "main": main,
        **sections,
        "left_out": lacking,
        "provenance": {
            "software": describe_software(),
            "machine": describe_machine(),
            "durations": describe_durations(steps),
            "runs": _describe_runs(plan, size, methods, seeds),
        },
    }


def _describe_runs(
    plan: ReproductionPlan,
    size: ReproductionSize,
    methods: Sequence[Method],
    seeds: Sequence[int],
) -> list[dict[str, Any]]:
    return [
        {
            "run": name_run(size.name, seed, key),
            "seed": seed,
            "settings_hash": plan_run(plan, size, key, seed=seed).hash(),
        }
        for seed in seeds
        for key in plan.list_runs(methods)
    ]


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
