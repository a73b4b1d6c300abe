"""The report of a validation: what fails first, then the figures of the frozen model, then ours."""

from ptacl_core.documents.figures import Bounded
from ptacl_core.documents.validation import ValidationDocument
from ptacl_core.report.blocks import Block, Bullets, Figure, Heading, Paragraph, Report, Table
from ptacl_core.report.svg.line_plot import Point, Series, draw_line_plot

RESEARCH_USE = "Research use only: not a medical device, not for diagnosis."


def build_validation_report(document: ValidationDocument) -> Report:
    """All of it from the document."""
    blocks: list[Block] = [
        Heading("Verdict on the frozen model"),
        Paragraph(document.text, is_warning=bool(document.failures)),
        Bullets(
            [f"{failure.what}, {failure.whom}: {failure.text}" for failure in document.failures]
            or ["No figure lies beyond its bound"]
        ),
        *_describe_columns(document),
        *_describe_intervals(document),
        *_describe_groups(document),
        *_describe_people(document),
        *_describe_transfer(document),
        *_describe_decisions(document),
    ]
    notices = [RESEARCH_USE, document.note]
    if document.unfit is not None:
        notices.append(f"Do not rely on the model: {document.unfit}")
    title = f"{document.model} on {document.people} people of {document.cohort}"
    return Report(f"Validation: {title}", notices, blocks)


def _describe_columns(document: ValidationDocument) -> list[Block]:
    names = [column.name for column in document.columns]
    rows = [["mean", *(_cell(column.mean_r2) for column in document.columns)]]
    phenotypes = document.columns[0].phenotypes
    for name in phenotypes:
        cells = [column.phenotypes.get(name) for column in document.columns]
        rows.append([name, *("–" if cell is None else _cell(cell.r2) for cell in cells)])
    calibration = [
        [name, str(cell.n), *map(_cell, (cell.mean_absolute_error, cell.bias, cell.slope,
                                         cell.intercept))]
        for name, cell in phenotypes.items()
    ]  # fmt: skip
    return [
        Heading("R²"),
        Bullets([f"{column.name}: {column.how}" for column in document.columns]),
        Table("R² [95 % interval over people]", ["Phenotype", *names], rows),
        Heading("Calibration of the frozen model"),
        Table(
            "Error, bias, and the line of observed on predicted",
            ["Phenotype", "n", "Mean absolute error", "Bias", "Slope", "Intercept"],
            calibration,
        ),
    ]


def _describe_intervals(document: ValidationDocument) -> list[Block]:
    rows = []
    for name, entry in document.coverage.items():
        cell, ours = entry.overall, document.recalibrated_coverage.get(name)
        frozen = _cell(Bounded(value=cell.value, low=cell.low, high=cell.high))
        rows.append([name, str(cell.n), frozen, cell.verdict, "–" if ours is None else _cell(ours)])
    header = ["Phenotype", "n", "Frozen", "Verdict", "Recalibrated"]
    return [
        Heading("Coverage of the intervals"),
        Paragraph(document.coverage_summary.text),
        Table("Share of labels inside their interval", header, rows),
    ]


def _describe_groups(document: ValidationDocument) -> list[Block]:
    rows = [
        [f"{grouping}: {name}", str(group.n), phenotype, f"{cell.bias:+.1f}",
         f"{cell.bias_low:+.1f} – {cell.bias_high:+.1f}"]
        for grouping, groups in document.subgroups.groupings.items()
        for name, group in groups.items()
        for phenotype, cell in group.phenotypes.items()
        if phenotype in ("lvef_pct", "lvm_g", "lvedv_ml")
        and cell.bias is not None and cell.bias_low is not None and cell.bias_high is not None
    ]  # fmt: skip
    header = ["Group", "n", "Phenotype", "Bias", "95 % interval"]
    return [
        Heading("For whom"),
        Table("Bias of the frozen model by group", header, rows),
    ]


def _describe_people(document: ValidationDocument) -> list[Block]:
    rows = [
        [name, str(shift.n), _number(shift.mean), _number(shift.trained_mean),
         _cell(shift.difference_sd)]
        for name, shift in document.drift.items()
        if shift.difference_sd is not None
    ]  # fmt: skip
    return [
        Heading("How these people differ from the training people"),
        Paragraph(
            f"{_cell(document.out_of_distribution)} of the ECGs are out of distribution (1 in 100 "
            "is expected)."
        ),
        Table(
            "Means, and the difference in SD of the training people",
            ["Variable", "n", "Here", "Training", "Difference (SD)"],
            rows,
        ),
    ]


def _describe_transfer(document: ValidationDocument) -> list[Block]:
    points = [
        Point(float(transfer.people), transfer.mean_r2, transfer.low, transfer.high)
        for transfer in document.transfer
        if transfer.mean_r2 is not None
    ]
    if not points:
        return []
    frozen = document.columns[0].mean_r2
    line = [Point(point.x, frozen.value or 0.0) for point in points]
    svg = draw_line_plot(
        [Series("probe refitted", points), Series("frozen", line)],
        title="Transfer",
        description="Mean R² by the number of people whose labels a refitted probe saw",
        x_label="people with labels",
        y_label="mean R²",
        is_x_logarithmic=True,
    )
    return [
        Heading("What local labels would bring"),
        Figure(
            "transfer", svg, "Mean R² of a probe refitted on the frozen features; frozen beside"
        ),
    ]


def _describe_decisions(document: ValidationDocument) -> list[Block]:
    blocks: list[Block] = [Heading("Decisions")]
    for name, curve in document.decisions.items():
        if curve.why is not None:
            blocks.append(Paragraph(f"{name}: not judged, {curve.why} ({curve.events} events)"))
            continue
        auc = "–" if curve.auc is None else _cell(curve.auc)
        rows = [
            [f"{point.threshold:.2f}", f"{point.model:+.4f}", f"{point.everybody:+.4f}", "0"]
            for point in curve.points
        ]
        blocks.append(
            Paragraph(f"{name}: {curve.events} of {curve.n} people; AUC {auc} of the frozen model")
        )
        blocks.append(
            Table(
                f"Net benefit per person, {name}",
                ["Threshold", "Model", "Everybody", "Nobody"],
                rows,
            )
        )
    return blocks


def _cell(figure: Bounded | None) -> str:
    if figure is None or figure.value is None:
        return "–"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.2f}"
    return f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
