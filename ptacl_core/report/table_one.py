"""Table 1 in the report: retrieval, the pair compared, the check against Table 2."""

from collections.abc import Mapping, Sequence
from typing import Any

from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.report.blocks import Block, Figure, Heading, Paragraph, Table
from ptacl_core.report.numbers import ABSENT, short_name, show, show_cell, show_p
from ptacl_core.report.svg.line_plot import Point, Series, draw_line_plot
from ptacl_core.report.table_two import PAPER

KS = (1, 3, 5, 10, 15)
FIGURES = (*PHENOTYPE_NAMES, "mean")


def describe_table_one(document: Mapping[str, Any]) -> list[Block]:
    """Precision at k and ranks with the own cine in and out, exact pairs, consistency."""
    retrieval = document["retrieval"]
    blocks: list[Block] = [Heading("Table 1: patients with similar hearts")]
    if "why_not" in retrieval:
        return [*blocks, Paragraph(f"Left out: {retrieval['why_not']}.", is_warning=True)]
    blocks.append(
        Paragraph(
            f"Queries are {retrieval['patients']} test ECGs, the database all test cines, by "
            "cosine. A retrieved patient matches when the phenotype differs by at most half an "
            "SD over the test patients. Own cine included is the paper's reading, own cine "
            "excluded the clinical one: a patient's own cine is a match whatever the phenotype. "
            "Ties are kept in order of index."
        )
    )
    paired = [method for method in retrieval["methods"] if method["published"]]
    for method in paired or retrieval["methods"]:
        blocks += [_table(method, own) for own in ("included", "excluded")]
    if retrieval["comparisons"]:
        blocks.append(_compare(retrieval["comparisons"]))
    recall = _pair_recall(retrieval["methods"])
    return [*blocks, *recall, *_consistency(retrieval["consistency"])]


def _table(method: Mapping[str, Any], own: str) -> Table:
    lines = []
    for name in FIGURES:
        cell = method["own"][own][name]
        lines.append(
            [
                short_name(name),
                *(show_cell(cell[f"p_at_{k}"]) for k in KS),
                show(cell["random_p_at_10"]),
                show(cell["mean_rank"], digits=1),
                show(cell["median_rank"], digits=1),
            ]
        )
        published = [cell[f"p_at_{k}"]["published"] for k in KS]
        if any(value is not None for value in published):
            ranks = (cell["published_mean_rank"], cell["published_median_rank"])
            shown = [show(rank, digits=1) for rank in ranks]
            lines.append([f"  {PAPER}", *map(show, published), ABSENT, *shown])
    return Table(
        f"{method['title']}, own cine {own}",
        ["Phenotype", *(f"P@{k}" for k in KS), "Random", "Mean rank", "Median rank"],
        lines,
    )


def _compare(comparisons: Sequence[Mapping[str, Any]]) -> Table:
    lines = []
    for pair in comparisons:
        figures = pair["figures"]
        verdicts = [figures[name]["verdict"] for name in PHENOTYPE_NAMES]
        mean = figures["mean"]
        lines.append(
            [
                f"P@{pair['k']}, own cine {pair['own']}",
                show_cell(mean, "difference", is_signed=True),
                show_p(mean["p"]),
                mean["verdict"],
                str(verdicts.count("separated")),
                str(verdicts.count("reversed")),
            ]
        )
    first, second = comparisons[0]["first"], comparisons[0]["second"]
    return Table(
        f"{first} − {second}: difference of mean precision, paired over queries",
        ["Measure", "Δ mean", "p", "Verdict", "Phenotypes separated", "Phenotypes reversed"],
        lines,
    )


def _pair_recall(methods: Sequence[Mapping[str, Any]]) -> list[Block]:
    """Recall of the very pair, of each method's first seed, where it was measured."""
    lines = []
    for method in methods:
        directions = next((recall for recall in method["pair_recall"] if recall), None) or {}
        for direction, figures in directions.items():
            cells = [figures.get(f"recall_at_{k}") for k in (1, 5, 10)]
            if any(cell is not None for cell in cells):
                lines.append(
                    [
                        f"{method['title']}, {direction}",
                        *(ABSENT if cell is None else show_cell(cell) for cell in cells),
                        show(_plain(figures.get("median_rank")), digits=1),
                    ]
                )
    if not lines:
        return []
    header = ["Method", "Recall@1", "Recall@5", "Recall@10", "Median rank"]
    return [Table("Recall of the very pair (first seed)", header, lines)]


def _plain(value: Any) -> float | None:
    return value.get("value") if isinstance(value, Mapping) else value


def _consistency(checks: Sequence[Mapping[str, Any]]) -> list[Block]:
    if not checks:
        return []
    series = []
    for method in dict.fromkeys(check["method"] for check in checks):
        known = [
            check
            for check in checks
            if check["method"] == method
            and check["expected_p_at_10"] is not None
            and check["measured_p_at_10"] is not None
        ]
        points = sorted(
            (Point(cell["expected_p_at_10"], cell["measured_p_at_10"]) for cell in known),
            key=lambda point: point.x,
        )
        if points:
            series.append(Series(method, points))
    lines = [
        [
            f"{check['method']}, {short_name(check['phenotype'])}",
            show(check["r2_ecg"]),
            show(check["r2_cmr"]),
            show(check["expected_p_at_10"]),
            show(check["measured_p_at_10"]),
            show(_difference(check), is_signed=True),
        ]
        for check in checks
    ]
    header = ["Method, phenotype", "R² ECG", "R² CMR", "Expected", "Measured", "Difference"]
    blocks: list[Block] = [
        Heading("Does Table 1 follow from Table 2?", 3),
        Paragraph(
            "If both embeddings knew a Gaussian phenotype up to their probes' R², precision "
            "would be erf(0.5/√(2·[(1−R²ECG)+(1−R²CMR)])). A measured precision below it means "
            "that the shared space keeps less of the phenotype than the features hold."
        ),
    ]
    if series:
        svg = draw_line_plot(
            series,
            title="Precision at 10: expected from both R² and measured",
            description="One point per phenotype; the dashed line is equality.",
            x_label="expected P@10",
            y_label="measured P@10, own cine excluded",
            has_diagonal=True,
            has_lines=False,
        )
        caption = "Precision at 10, own cine excluded: points on the dashed line agree."
        blocks.append(Figure("consistency", svg, caption))
    return [*blocks, Table("P@10, own cine excluded", header, lines)]


def _difference(check: Mapping[str, Any]) -> float | None:
    expected, measured = check["expected_p_at_10"], check["measured_p_at_10"]
    return None if expected is None or measured is None else measured - expected
