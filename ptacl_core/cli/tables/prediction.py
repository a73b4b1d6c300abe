"""What `ptacl predict` says of one ECG, for reading."""

from collections.abc import Mapping
from typing import Any

from ptacl_core.cli.output import RESEARCH_USE, print_line
from ptacl_core.cli.tables.grid import SHORT_NAMES, print_table, start_table
from ptacl_core.records import LEAD_NAMES, PHENOTYPE_UNITS
from ptacl_core.safety.text.printable import clean_text
from ptacl_core.shards.spec import MEASUREMENT_NAMES


def print_prediction(answer: Mapping[str, Any]) -> None:
    """One ECG: findings first, then phenotypes with intervals, then the nearest patients."""
    print_line(clean_text(answer["file"]))
    if answer["model_warning"] is not None:
        warning = clean_text(answer["model_warning"], max_length=600)
        print_line(f"  DO NOT RELY ON THESE FIGURES: {warning}")
    for finding in answer["findings"]:
        leads = f" [{', '.join(finding['leads'])}]" if finding["leads"] else ""
        print_line(clean_text(f"  {finding['severity']}: {finding['message']}{leads}"))
    outside = answer["out_of_distribution"]
    verdict = "OUTSIDE what the model was trained on" if outside["flag"] else "within training data"
    print_line(f"  {verdict} (score {outside['score']:.2f}, flagged above 1)")
    measured = ", ".join(
        f"{name} {answer['measurements'][name]:.0f}"
        for name in MEASUREMENT_NAMES
        if name in answer["measurements"]
    )
    rate = answer["heart_rate_bpm"]
    print_line(f"  heart rate {'-' if rate is None else f'{rate:.0f}'} bpm  {measured}")
    if answer["phenotypes"]:
        _print_phenotypes(answer)
    _print_targets(answer)
    if "saliency" in answer:
        _print_saliency(answer["saliency"])
    nearest = ", ".join(
        f"{neighbour['patient']} ({neighbour['similarity']:.3f})"
        for neighbour in answer["neighbours"]
    )
    print_line(clean_text(f"  nearest patients: {nearest or 'none'}", max_length=1000))
    print_line(f"  {RESEARCH_USE}")


def _print_phenotypes(answer: Mapping[str, Any]) -> None:
    """Predictions with intervals and z-scores, and what the nearest patients measured."""
    group = answer["interval_group"]
    of_whom = "all validation patients" if group == "all" else f"validation patients {group}"
    table = start_table(f"Predicted, {answer['coverage'] * 100:.0f} % interval of {of_whom}")
    columns = ("Phenotype", "Value", "Interval", "Unit", "z-score", "Nearest patients measured")
    for column in columns:
        table.add_column(column, justify="left" if column in ("Phenotype", "Unit") else "right")
    for name, value in answer["phenotypes"].items():
        z_score = value["z_score"]
        around = answer["neighbour_phenotypes"].get(name)
        table.add_row(
            SHORT_NAMES[name],
            f"~{value['value']:.1f}",
            f"{value['low']:.1f} – {value['high']:.1f}",
            PHENOTYPE_UNITS[name],
            "-" if z_score is None else f"{z_score:+.1f}",
            "-"
            if around is None
            else f"{around['median']:.1f} [{around['low']:.1f}, {around['high']:.1f}] "
            f"n={around['n']}",
        )
    print_table(table)
    print_line(f"  z-scores: {answer['z_score_note']}")


def _print_targets(answer: Mapping[str, Any]) -> None:
    """The cohort's own targets: values and probabilities, each with its interval."""
    if not answer["targets"]:
        return
    table = start_table(
        f"Predicted targets of the cohort, {answer['coverage'] * 100:.0f} % interval"
    )
    for column in ("Target", "Value", "Interval", "Unit"):
        table.add_column(column, justify="left" if column in ("Target", "Unit") else "right")
    for name, value in answer["targets"].items():
        digits = 2 if value["kind"] == "binary" else 1
        title = clean_text(value["title"], max_length=60)
        table.add_row(
            title if title == name else f"{title} ({name})",
            f"~{value['value']:.{digits}f}",
            f"{value['low']:.{digits}f} – {value['high']:.{digits}f}",
            clean_text(value["unit"], max_length=20),
        )
    print_table(table)


def _print_saliency(saliency: Mapping[str, Any]) -> None:
    """Change of each prediction when a lead is flat, or a phase of the beat is bridged."""
    if not saliency["leads"]:
        print_line("  no phenotypes to explain: this run predicts the cohort's own targets alone")
        return
    table = start_table("Change of the prediction with one lead flat")
    table.add_column("Phenotype")
    for lead in LEAD_NAMES:
        table.add_column(lead, justify="right")
    for name, changes in saliency["leads"].items():
        table.add_row(SHORT_NAMES[name], *(f"{changes[lead]:+.1f}" for lead in LEAD_NAMES))
    print_table(table)
    if saliency["steps"] is None:
        print_line("  no complete beat: phases cannot be masked")
        return
    table = start_table("Change of the prediction with one phase of every beat bridged")
    table.add_column("Phenotype")
    for step in range(len(next(iter(saliency["steps"].values())))):
        table.add_column(str(step + 1), justify="right")
    for name, changes in saliency["steps"].items():
        table.add_row(SHORT_NAMES[name], *(f"{change:+.1f}" for change in changes))
    print_table(table)
