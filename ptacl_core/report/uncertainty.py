"""Intervals and probabilities in the report: do they keep what they promise."""

from collections.abc import Mapping
from typing import Any

from ptacl_core.report.blocks import Block, Figure, Heading, Paragraph, Table
from ptacl_core.report.numbers import short_name, show, show_cell, show_interval, show_percent
from ptacl_core.report.svg.forest_plot import Estimate, draw_forest_plot
from ptacl_core.report.svg.line_plot import Point, Series, draw_line_plot

OVERALL = "overall"


def describe_uncertainty(document: Mapping[str, Any]) -> list[Block]:
    """Coverage by group and calibration of event probabilities of the main method."""
    blocks: list[Block] = [Heading("Uncertainty of single predictions")]
    if document.get("main"):
        blocks.append(Paragraph(f"Method {document['main']}, first seed, aligned ECG."))
    coverage = document.get("coverage")
    if coverage:
        blocks += _describe_coverage(coverage, (document.get("coverage_summary") or {}))
    else:
        reason = (document.get("coverage_summary") or {}).get("text", "it was not measured")
        blocks.append(Paragraph(f"No coverage: {reason}.", is_warning=True))
    calibration = document.get("calibration")
    if calibration:
        blocks += _describe_calibration(calibration)
    return blocks


def _describe_coverage(coverage: Mapping[str, Any], summary: Mapping[str, Any]) -> list[Block]:
    nominal = summary.get("nominal")
    blocks: list[Block] = [Heading("Coverage of the prediction intervals", 3)]
    if summary.get("text"):
        blocks.append(Paragraph(summary["text"], is_warning=summary.get("verdict") == "failed"))
    estimates = []
    for name, entry in coverage.items():
        cell = entry[OVERALL]
        estimates.append(
            Estimate(
                short_name(name),
                cell["value"],
                cell["low"],
                cell["high"],
                text=f"{cell['covered']} of {cell['n']}",
            )
        )
    svg = draw_forest_plot(
        estimates,
        title="Share of test patients inside their prediction interval",
        description="One line per phenotype with Clopper-Pearson bounds; dashed: nominal.",
        axis_label="coverage",
        text_label="patients covered",
        reference=nominal,
    )
    caption = (
        "Share of test patients whose phenotype lies in its predicted interval, with "
        f"Clopper-Pearson bounds; the dashed line is the nominal {show_percent(nominal)}."
    )
    blocks.append(Figure("coverage", svg, caption))
    groups = sorted({group for entry in coverage.values() for group in entry.get("groups", {})})
    lines = []
    for name, entry in coverage.items():
        cells = [entry[OVERALL], *(entry.get("groups", {}).get(group) for group in groups)]
        lines.append(
            [short_name(name), *map(_cover, cells), show(entry[OVERALL]["width"], digits=1)]
        )
    header = ["Phenotype", "All", *groups, "Mean width (unit)"]
    blocks.append(Table("Coverage by sex and age [95 % bounds], patients", header, lines))
    return blocks


def _cover(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return "–"
    interval = show_interval(cell["low"], cell["high"], digits=2)
    return f"{show(cell['value'], digits=2)}\n{interval} n {cell['n']}"


def _describe_calibration(calibration: Mapping[str, Any]) -> list[Block]:
    blocks: list[Block] = [
        Heading("Probabilities of clinical limits", 3),
        Paragraph(
            "The probability that a phenotype lies below a limit, from the prediction and the "
            "residuals of validation patients."
        ),
    ]
    series, lines = [], []
    for name, event in calibration.items():
        bins = [tenth for tenth in event.get("reliability", []) if tenth["n"]]
        if bins:
            points = [
                Point(tenth["probability"], tenth["share"], tenth["low"], tenth["high"])
                for tenth in bins
            ]
            series.append(Series(name.replace("_pct", ""), points))
        auc = event.get("auc")
        lines.append(
            [
                name.replace("_pct", " (%) "),
                f"{event['events']} of {event['n']}",
                show_cell(event["brier"], digits=4) if event.get("brier") else "–",
                show(event.get("brier_of_prevalence"), digits=4),
                show(event.get("ece"), digits=4),
                show_cell(auc) if auc else "–",
                event.get("why") or "",
            ]
        )
    if series:
        svg = draw_line_plot(
            series,
            title="Reliability of event probabilities",
            description="Observed share of events by predicted probability; dashed: equality.",
            x_label="predicted probability",
            y_label="share with the event",
            x_bounds=(0.0, 1.0),
            y_bounds=(0.0, 1.0),
            has_diagonal=True,
        )
        caption = (
            "Observed share of events by predicted probability, with Clopper-Pearson bounds; on "
            "the dashed line a probability means what it says."
        )
        blocks.append(Figure("reliability", svg, caption))
    header = ["Event", "Events", "Brier", "Brier of prevalence", "ECE", "AUC", "Remark"]
    return [*blocks, Table("Calibration of event probabilities", header, lines)]
