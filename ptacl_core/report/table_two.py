"""Table 2 in the report: R² of every row, its spread, its ceiling, how many labels it needs."""

from collections.abc import Mapping, Sequence
from typing import Any

from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.report.blocks import Block, Figure, Heading, Paragraph, Table
from ptacl_core.report.numbers import ABSENT, short_name, show, show_cell, show_percent
from ptacl_core.report.svg.forest_plot import Estimate, draw_forest_plot
from ptacl_core.report.svg.line_plot import Point, Series, draw_line_plot

FIGURES = (*PHENOTYPE_NAMES, "mean")
PAPER = "the paper, UK Biobank"
_CURVE_METHODS = ("ptacl-ecg", "global-ecg", "mae-ecg", "ridge-mean-beat")


def describe_table_two(document: Mapping[str, Any]) -> list[Block]:
    """Tables by input, the forest plot of mean R², spread and ceiling, label efficiency."""
    rows = document["rows"]
    blocks: list[Block] = [
        Heading("Table 2: phenotypes from each input"),
        Paragraph(
            "R² on held-out patients with its 95 % interval over resampled patients "
            f"({document['resamples']} resamples, {len(document['seeds'])} "
            f"seed{'s' if len(document['seeds']) > 1 else ''} averaged). LP: linear probe on "
            "frozen features; FN: the fine-tuned network's own predictions; AP: attention "
            f"pooling. Rows marked “{PAPER}” are the published figures "
            f"({document['published_source']}): other patients, another cohort, for "
            "orientation only."
        ),
    ]
    for modality, title in (("ecg", "Input ECG"), ("cmr", "Input CMR")):
        chosen = [row for row in rows if row["modality"] in (modality, "covariates")]
        if any(row["modality"] == modality for row in chosen):
            blocks.append(_table(f"{title}: R² [95 % interval]", chosen))
    notes = {f"{row['name']}: {row['published_note']}" for row in rows if row.get("published_note")}
    if notes:
        blocks.append(Paragraph(f"Of the published figures: {'; '.join(sorted(notes))}."))
    blocks += [_forest(document), _spread(rows), *_agreement(rows), *_label_efficiency(rows)]
    return blocks


def _table(caption: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    lines = []
    for row in rows:
        figures = _figures(row)
        lines.append(
            [_name(row, with_remarks=True), *(show_cell(figures[name], "r2") for name in FIGURES)]
        )
        published = [figures[name].get("published") for name in FIGURES]
        if any(value is not None for value in published):
            lines.append([f"  {PAPER}", *(_show_published(value) for value in published)])
    return Table(caption, ["Method", *(short_name(name) for name in FIGURES)], lines)


def _show_published(value: float | None) -> str:
    if value is not None and value != 0 and abs(value) < 5e-4:
        return f"{value:.1e}".replace("-", "−")
    return show(value)


def _name(row: Mapping[str, Any], *, with_remarks: bool = False) -> str:
    name = f"{row['name']} ({row['evaluation']})"
    remarks = [*(["has not learned"] if row["failures"] else []), *row["remarks"]]
    return f"{name}: {', '.join(remarks)}" if with_remarks and remarks else name


def _figures(row: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Cells by phenotype, and "mean"."""
    return {**row["phenotypes"], "mean": row["mean"]}


def _forest(document: Mapping[str, Any]) -> Figure:
    estimates = []
    for modality, heading in (("ecg", "Input ECG"), ("cmr", "Input CMR")):
        chosen = [row for row in document["rows"] if row["modality"] in (modality, "covariates")]
        if not any(row["modality"] == modality for row in chosen):
            continue
        estimates.append(Estimate(heading, None, is_heading=True))
        for row in chosen:
            mean = row["mean"]
            estimates.append(
                Estimate(
                    _name(row),
                    mean["r2"],
                    mean["low"],
                    mean["high"],
                    compared=mean.get("published"),
                    text=show_cell(mean, "r2").replace("\n", " "),
                    series=0 if modality == "ecg" else 1,
                )
            )
    svg = draw_forest_plot(
        estimates,
        title="Mean R² over the ten phenotypes",
        description="One line per method with its 95 % interval, ECG rows first, then CMR rows.",
        axis_label="mean R² over ten phenotypes",
        text_label="R² [95 % interval]",
        compared_label=PAPER,
        reference=0.0,
    )
    return Figure(
        "table-2-forest",
        svg,
        "Mean R² over the ten phenotypes with its 95 % interval. Hollow diamonds: the paper's "
        "figures on UK Biobank, of other patients.",
    )


def _spread(rows: Sequence[Mapping[str, Any]]) -> Table:
    lines = []
    for row in rows:
        mean = row["mean"]
        gain = mean["delta_over_demographics"] or {}
        lines.append(
            [
                f"{_name(row)}, {row['modality'].replace('covariates', 'no recording')}",
                show_cell(mean, "r2"),
                show(mean["seed_sd"], digits=4),
                show(mean["bootstrap_sd"], digits=4),
                show(mean["ceiling"]),
                show_percent(mean["share_of_ceiling"]),
                show_cell(gain, "difference", is_signed=True),
                gain.get("verdict", ABSENT),
                show(mean["published"]),
            ]
        )
    return Table(
        "Mean R²: spread over seeds and over patients, ceiling, gain over demographics "
        "(ceiling: what the simulator's ECG shows, read out linearly; of CMR rows the label's "
        "reliability)",
        [
            "Method",
            "Mean R²",
            "Seed SD",
            "Bootstrap SD",
            "Ceiling",
            "Of the ceiling",
            "Δ over demographics",
            "Verdict",
            PAPER,
        ],
        lines,
    )


def _agreement(rows: Sequence[Mapping[str, Any]]) -> list[Block]:
    described = [row for row in rows if row["modality"] != "covariates"]
    lines = []
    for row in described:
        for measure, title in (
            ("mean_absolute_error", "mean absolute error"),
            ("pearson_r", "Pearson r"),
            ("concordance", "Lin's concordance"),
        ):
            cells = [row["phenotypes"][name][measure] for name in PHENOTYPE_NAMES]
            digits = 1 if measure == "mean_absolute_error" else 3
            lines.append(
                [
                    f"{_name(row)}, {row['modality']}",
                    title,
                    *(show(cell, digits=2 if digits == 1 else 3) for cell in cells),
                ]
            )
    header = ["Row", "Measure", *(short_name(name) for name in PHENOTYPE_NAMES)]
    return [
        Heading("Agreement in units", 3),
        Table(
            "Mean absolute error in the phenotypes' units (mL, %, L/min, g), r and concordance",
            header,
            lines,
        ),
    ]


def _label_efficiency(rows: Sequence[Mapping[str, Any]]) -> list[Block]:
    curves = {row["key"]: row for row in rows if row["label_curve"] and row["modality"] == "ecg"}
    shown = [key for key in _CURVE_METHODS if key in curves] or list(curves)[:4]
    if not shown:
        return []
    series, lines, ticks = [], [], {}
    for key in shown:
        row = curves[key]
        points = []
        for point in row["label_curve"]:
            if point["mean_r2"] is not None:
                points.append(
                    Point(point["labels"], point["mean_r2"], point["least"], point["greatest"])
                )
                ticks[point["labels"]] = str(point["labels"])
            lines.append([_name(row), *_describe_point(point)])
        if points:
            series.append(Series(row["name"], points))
    blocks: list[Block] = [
        Heading("What features are worth where labels are few", 3),
        Paragraph(
            "Ridge with inner folds on the features of some labelled training patients, five "
            "draws each, the encoder unchanged, beside ridge on the mean beat with the same "
            "patients. Labels saved: how many more the mean beat needs for the same R²."
        ),
    ]
    if series:
        svg = draw_line_plot(
            series,
            title="Mean R² by number of labelled training patients",
            description="One curve per method; bars from the least to the greatest draw.",
            x_label="labelled training patients (logarithmic)",
            y_label="mean R²",
            x_ticks=sorted(ticks.items()),
            is_x_logarithmic=True,
        )
        caption = "Mean R² by labelled patients; bars span the least and the greatest draw."
        blocks.append(Figure("label-efficiency", svg, caption))
    header = [
        "Method", "Labels", "Mean R² [95 %]", "Least to greatest", "Over the mean beat",
        "Verdict", "Labels saved",
    ]  # fmt: skip
    return [*blocks, Table("R² by number of labels, ECG", header, lines)]


def _describe_point(point: Mapping[str, Any]) -> list[str]:
    over = point["over_bar"] or {}
    saved = ABSENT if point["saved"] is None else f"{point['saved']:.0f}"
    return [
        f"{point['labels']}{' (all)' if point['is_all'] else ''}",
        show_cell({"r2": point["mean_r2"], "low": point["low"], "high": point["high"]}, "r2"),
        f"{show(point['least'])} to {show(point['greatest'])}",
        show_cell(over, "difference", is_signed=True),
        over.get("why") or over.get("verdict", ABSENT),
        f"more than {saved}" if point["is_beyond_bar"] else saved,
    ]
