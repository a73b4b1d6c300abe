"""Where the figures come from, in the report."""

from collections.abc import Mapping
from typing import Any

from ptacl_core.report.blocks import Block, Bullets, Heading, Table
from ptacl_core.report.numbers import show_duration


def describe_provenance(document: Mapping[str, Any]) -> list[Block]:
    """Data, software, machine, durations, and the hashes of every run."""
    provenance, cohort = document["provenance"], document["cohort"]
    durations = provenance["durations"]
    machine = provenance["machine"]
    software = ", ".join(f"{name} {number}" for name, number in provenance["software"].items())
    spent = ", ".join(
        f"{step} {show_duration(seconds)}" for step, seconds in durations["by_step_s"].items()
    )
    lines = [
        f"Command: {provenance['command']}",
        f"Made {document['made']}, size {document['size']}, seeds "
        f"{', '.join(map(str, document['seeds']))}. {document['size_notes']}",
        f"Cohort {cohort['name']} ({cohort['source']}): {cohort['train']} pairs train, "
        f"{cohort['test']} test; preprocessing {cohort['preprocessing_hash']}, patients and "
        f"splits {cohort['patients_hash']}",
        f"Software: {software}",
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['threads']} "
        f"threads, GPU {machine['gpu'] or 'none'}, {machine['system']}",
        f"Duration over all steps {show_duration(durations['total_s'])} ({spent})",
    ]
    if durations["resumed"]:
        lines.append(
            "Trainings that were interrupted and resumed, of which only the last part is counted: "
            + ", ".join(durations["resumed"])
        )
    if provenance.get("from_archive"):
        lines.append(
            f"Taken from an archive, not trained here: {', '.join(provenance['from_archive'])}"
        )
    weights = {
        sha256: row["key"]
        for row in document["rows"]
        for sha256 in row.get("weights_sha256", [])
        if sha256 is not None
    }
    return [
        Heading("Provenance"),
        Bullets(lines),
        *_describe_search(document["learning_rates"]),
        Table(
            "Settings of the runs",
            ["Run", "Seed", "Settings hash"],
            [[run["run"], str(run["seed"]), run["settings_hash"]] for run in provenance["runs"]],
        ),
        Table(
            "Weights measured",
            ["SHA-256", "Row"],
            [[sha256, key] for sha256, key in weights.items()],
        ),
    ]


def _describe_search(rates: Mapping[str, Mapping[str, float]]) -> list[Block]:
    """The learning rates that were tried for each run, and what each gave."""
    if not rates:
        return []
    tried = list(dict.fromkeys(rate for figures in rates.values() for rate in figures))
    return [
        Table(
            "Learning rates tried, by the mean R² on validation patients (one training each, with "
            "a seed that no row uses); the best is the row's",
            ["Run", *tried],
            [
                [run, *(f"{figures[rate]:.4f}" if rate in figures else "" for rate in tried)]
                for run, figures in rates.items()
            ],
        )
    ]
