"""The subgroup sheet of the report: who is predicted worse."""

from collections.abc import Mapping
from typing import Any

from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.report.blocks import Block, Bullets, Heading, Paragraph, Table
from ptacl_core.report.numbers import ABSENT, short_name, show, show_cell

MIN_SHOWN = 5
"""Patients that a group must have to be shown: the figures of fewer would describe persons."""

_TITLES = {
    "sex": "Sex",
    "age": "Age (years)",
    "bmi": "Body mass index (kg/m²)",
    "heart_rate": "Heart rate",
    "rhythm": "Rhythm",
    "quality": "Signal quality",
}
_GAPS = {
    "r2": ("R²", ""),
    "mean_absolute_error_sd": ("mean absolute error", " SD"),
    "bias_sd": ("bias", " SD"),
}


def describe_subgroups(document: Mapping[str, Any]) -> list[Block]:
    """R² and error by group, and the worst gaps."""
    subgroups = document.get("subgroups")
    blocks: list[Block] = [Heading("Subgroups")]
    if not subgroups:
        return [*blocks, Paragraph("Left out: no aligned method was evaluated.")]
    blocks.append(
        Paragraph(
            f"Method {document['main']}, first seed, aligned ECG. R² is about the group's own "
            "mean: it is lower where a group varies little, which the errors are not. Groups of "
            "few patients have wide intervals, those of fewer than 5 are not shown; the gap is "
            "over groups of at least 20."
        )
    )
    gaps = subgroups.get("worst_gap") or document.get("worst_gap")
    if gaps:
        blocks.append(Bullets([describe_gap(key, gap) for key, gap in gaps.items()]))
    for measure, title, digits in (
        ("r2", "R² [95 % interval]", 2),
        ("mean_absolute_error", "Mean absolute error in the phenotype's unit", 2),
        ("bias", "Bias (predicted − observed) in the phenotype's unit", 2),
    ):
        blocks.append(_table(subgroups, measure, title, digits))
    return blocks


def describe_gap(key: str, gap: Mapping[str, Any] | None) -> str:
    """The largest difference between two groups of one figure, in one line."""
    title, unit = _GAPS.get(key, (key, ""))
    if gap is None:
        return f"Worst gap of {title}: no grouping has two groups of 20 patients."
    return (
        f"Worst gap of {title}: {show(gap['gap'])}{unit}, {short_name(gap['phenotype'])} by "
        f"{gap['grouping'].replace('_', ' ')}: {gap['lowest_group']} "
        f"{show(gap['lowest'], is_signed=True)}{unit}, {gap['highest_group']} "
        f"{show(gap['highest'], is_signed=True)}{unit}."
    )


def _table(subgroups: Mapping[str, Any], measure: str, title: str, digits: int) -> Table:
    lines = []
    for grouping, heading in _TITLES.items():
        for group, entry in subgroups.get(grouping, {}).items():
            cells = [entry["phenotypes"].get(name) for name in PHENOTYPE_NAMES]
            shown = [_cell(cell, measure, digits) for cell in cells]
            count = str(entry["n"])
            if entry["n"] < MIN_SHOWN:
                shown, count = [ABSENT] * len(shown), f"under {MIN_SHOWN}"
            lines.append([f"{heading}: {group}", count, *shown])
    return Table(title, ["Group", "n", *map(short_name, PHENOTYPE_NAMES)], lines)


def _cell(cell: Mapping[str, Any] | None, measure: str, digits: int) -> str:
    if cell is None:
        return ABSENT
    prefix = "" if measure == "r2" else f"{measure}_"
    figure = {
        "value": cell.get(measure),
        "low": cell.get(f"{prefix}low"),
        "high": cell.get(f"{prefix}high"),
    }
    return show_cell(figure, digits=digits, is_signed=measure == "bias")
