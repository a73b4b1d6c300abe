"""Differences between rows in the report: forest plots, verdicts, the expected order."""

from collections.abc import Mapping, Sequence
from typing import Any

from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.report.blocks import Block, Bullets, Figure, Heading, Paragraph, Table
from ptacl_core.report.numbers import short_name, show, show_cell, show_interval, show_p
from ptacl_core.report.svg.forest_plot import Estimate, draw_forest_plot

FIGURES = (*PHENOTYPE_NAMES, "mean")
_SERIES = {
    "separated": 0,
    "separated on these trainings": 0,
    "not separated": 4,
    "too few trainings": 4,
    "not comparable": 4,
    "reversed on these trainings": 1,
    "reversed": 1,
}
_MARKS = {"separated": " ▲", "separated on these trainings": " △", "reversed": " ▼",
          "reversed on these trainings": " ▽"}  # fmt: skip


def summarise_verdicts(document: Mapping[str, Any]) -> Bullets:
    """One line per question: the difference, its interval, the verdict."""
    lines = []
    for pair in document["comparisons"]:
        mean = pair["figures"]["mean"]
        if mean["verdict"] == "not comparable":
            lines.append(f"{pair['question']} {mean['why'].capitalize()}.")
            continue
        lines.append(
            f"{pair['question']} {mean['verdict'].capitalize()}: {name_pair(document, pair)} "
            f"{show(mean['difference'], is_signed=True)} mean R² "
            f"{show_interval(mean['low'], mean['high'], is_signed=True)}."
        )
    return Bullets(lines or ["No two rows that the plan compares were reproduced."])


def name_pair(document: Mapping[str, Any], pair: Mapping[str, Any]) -> str:
    """Titles of both methods of a difference; the cine's are said to be so."""
    titles = {row["key"]: row["name"] for row in document["rows"]}
    names = [
        titles.get(f"{pair[which]}-{pair['modality']}", titles.get(pair[which], pair[which]))
        for which in ("first", "second")
    ]
    return " − ".join(names) + ("" if pair["modality"] == "ecg" else ", CMR")


def describe_comparisons(document: Mapping[str, Any]) -> list[Block]:
    """Every planned difference, by phenotype, and Page's test."""
    pairs = document["comparisons"]
    blocks: list[Block] = [
        Heading("Differences between methods"),
        Paragraph(
            "First minus second on the same test patients; patients and trainings (seeds) are "
            "resampled together. Separated: the interval lies above 0 and the p-value is at most "
            "0.05, adjusted by Holm over all questions for the mean and over the ten phenotypes "
            "for one of them; reversed: the same below 0; not separated is an answer as well. "
            "“Separated” needs five trainings of both methods; three or four can be separated "
            "on these trainings, fewer cannot. A row that has not learned is not comparable."
        ),
    ]
    if not pairs:
        return [*blocks, Paragraph("No two rows that the plan compares were reproduced.")]
    names = [name_pair(document, pair) for pair in pairs]
    blocks.append(_overview(pairs, names))
    blocks.append(_by_phenotype(pairs, names))
    blocks.append(_details(pairs[0], names[0]))
    blocks += _trend(document["trend"])
    return blocks


def _overview(pairs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Figure:
    estimates = []
    for pair, name_of_pair in zip(pairs, names, strict=True):
        mean = pair["figures"]["mean"]
        estimates.append(
            Estimate(
                name_of_pair,
                mean["difference"],
                mean["low"],
                mean["high"],
                text=f"{mean['verdict']} (p {show_p(mean['p'])})",
                series=_SERIES[mean["verdict"]],
            )
        )
    svg = draw_forest_plot(
        estimates,
        title="Differences of mean R²",
        description="One line per planned comparison with its 95 % interval and verdict.",
        axis_label="difference of mean R²",
        text_label="verdict",
        reference=0.0,
    )
    caption = "Differences of mean R² over the ten phenotypes, paired bootstrap over patients."
    return Figure("differences-forest", svg, caption)


def _by_phenotype(pairs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Table:
    lines = []
    for pair, name_of_pair in zip(pairs, names, strict=True):
        cells = []
        for name in FIGURES:
            figure = pair["figures"][name]
            shown = show_cell(figure, "difference", is_signed=True)
            value, newline, interval = shown.partition("\n")
            cells.append(f"{value}{_MARKS.get(figure['verdict'], '')}{newline}{interval}")
        lines.append([name_of_pair, *cells])
    return Table(
        "Δ R² by phenotype [95 % interval]; ▲ separated, ▼ reversed (hollow: on these "
        "trainings), no mark: neither (Holm over the ten)",
        ["Difference", *(short_name(name) for name in FIGURES)],
        lines,
    )


def _details(pair: Mapping[str, Any], name_of_pair: str) -> Figure:
    estimates = [
        Estimate(
            short_name(name),
            figure["difference"],
            figure["low"],
            figure["high"],
            text=f"{figure['verdict']} (adjusted p {show_p(figure['p_holm'])})",
            series=_SERIES[figure["verdict"]],
        )
        for name, figure in pair["figures"].items()
    ]
    title = f"{name_of_pair} by phenotype"
    svg = draw_forest_plot(
        estimates,
        title=title,
        description=f"{pair['question']} One line per phenotype with its 95 % interval.",
        axis_label="difference of R²",
        text_label="verdict",
        reference=0.0,
    )
    return Figure("first-difference-forest", svg, f"{pair['question']} {title}.")


def _trend(trend: Mapping[str, Any]) -> list[Block]:
    order = " < ".join(trend["order"])
    heading = Heading("Expected order", 3)
    if "why_not" in trend:
        return [heading, Paragraph(f"{order}: not tested, {trend['why_not']}.")]
    return [
        heading,
        Paragraph(
            f"Page's test that R² rises along {order}: L = {trend['statistic']:.0f} over "
            f"{trend['blocks']} blocks, one-sided p = {show_p(trend['p_value'])} "
            f"({trend['note']})."
        ),
    ]
