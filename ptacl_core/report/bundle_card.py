"""The card of a packed model: what is inside, on whom it was trained, how well it did."""

from ptacl_core.documents.bundle import AggregateEvaluation, BundleDocument
from ptacl_core.report.blocks import Block, Bullets, Heading, Paragraph, Report, Table

RESEARCH_USE = "Research use only: not a medical device, not for diagnosis."
_STAGES = {"align": "aligned", "pretrain": "pretrained", "finetune": "fine-tuned"}
_MODALITIES = {"ecg": "ECG", "cmr": "cine CMR"}


def build_bundle_card(document: BundleDocument, evaluation: AggregateEvaluation | None) -> Report:
    """The card, from the documents that lie in the file; no other figure stands in it."""
    blocks: list[Block] = [*_describe(document), *_describe_training(document)]
    if evaluation is not None:
        blocks += _describe_figures(evaluation)
    blocks += _describe_membership(document)
    return Report(f"Packed model: {document.name}", [RESEARCH_USE, document.note], blocks)


def _describe(document: BundleDocument) -> list[Block]:
    lines = [
        f"{_MODALITIES.get(modality, modality)} encoder: {encoder.num_parameters:,} parameters, "
        f"{_STAGES[encoder.stage]}, weights of "
        f"{encoder.checkpoint_sha256[:16]}"
        for modality, encoder in document.encoders.items()
    ]
    if document.readout is not None:
        names = [f"{target.name} ({target.unit})" for target in document.targets]
        names += [
            f"{own.target.name} ({own.target.unit or 'probability'})"
            for own in document.own_targets
        ]
        coverage = document.readout.coverage * 100
        lines.append(f"Read-out with {coverage:.0f} % intervals of: {', '.join(names) or 'none'}")
    lines += [
        f"Leads in the order {', '.join(document.lead_names)}",
        f"Preprocessing {document.preprocessing_hash}; new recordings are prepared in the same way",
        f"Author: {document.author or 'not stated'}. Licence: {document.licence or 'not stated'}.",
        f"Packed on {document.packed_on} by PTACL {document.software}",
    ]
    blocks: list[Block] = [Heading("What is inside"), Bullets(lines)]
    if document.unfit is not None:
        blocks.append(Paragraph(f"DO NOT RELY ON IT: {document.unfit}", is_warning=True))
    return blocks


def _describe_training(document: BundleDocument) -> list[Block]:
    training = document.training
    people = ", ".join(
        f"{name} {'under 10' if count is None else count}"
        for name, count in training.people.items()
    )
    women = training.share_of_women
    rows = [
        [name, str(cell.n), f"{cell.mean:.1f}", f"{cell.sd:.1f}"]
        for name, cell in training.variables.items()
        if cell.n is not None and cell.mean is not None and cell.sd is not None
    ]
    return [
        Heading("Whom it was trained on"),
        Paragraph(
            f"Cohort {training.cohort} ({training.source}); people: {people}; women: "
            f"{'not told' if women is None else f'{women * 100:.0f} %'}. Aggregates only: no file "
            "in here holds a row of a person, and no figure is of fewer than ten."
        ),
        Table("Training people", ["Variable", "n", "Mean", "SD"], rows),
    ]


def _describe_figures(evaluation: AggregateEvaluation) -> list[Block]:
    rows = [
        [
            f"{row.name}, {row.modality} ({row.evaluation})",
            _show(row.mean_r2.value), f"{_show(row.mean_r2.low)} – {_show(row.mean_r2.high)}",
        ]
        for row in evaluation.rows
    ]  # fmt: skip
    covered = [
        [
            name,
            str(cell.n),
            f"at least {cell.at_least:.2f}" if cell.share is None else f"{cell.share:.2f}",
            cell.verdict,
        ]
        for name, cell in evaluation.coverage.items()
    ]
    return [
        Heading("Held-out people of the same cohort"),
        Table("Mean R² over the phenotypes", ["Row", "R²", "95 % interval"], rows),
        *_describe_targets(evaluation),
        Paragraph(evaluation.coverage_text),
        Table("Coverage of the intervals", ["Phenotype", "n", "Share", "Verdict"], covered),
        Bullets([f"Left out: {line}" for line in evaluation.suppressed] or ["Nothing left out"]),
    ]


def _describe_targets(evaluation: AggregateEvaluation) -> list[Block]:
    """Targets of the cohort's own, where it had some."""
    rows = [
        [name, str(cell.n), key, _show(figure.value), f"{_show(figure.low)} – {_show(figure.high)}"]
        for name, cell in evaluation.targets.items()
        for key, figure in cell.figures.items()
        if key in ("r2", "auc", "slope", "baseline")
    ]
    if not rows:
        return []
    head = ["Target", "n", "Figure", "Value", "95 % interval"]
    return [Table("Targets of the cohort (baseline: sex and age)", head, rows)]


def _describe_membership(document: BundleDocument) -> list[Block]:
    rows = [
        [
            measured.figure, measured.needs, _show(measured.auc.value),
            f"{_show(measured.auc.low)} – {_show(measured.auc.high)}",
        ]
        for measured in document.membership
    ]  # fmt: skip
    return [
        Heading("Can it tell who was in its training?"),
        Paragraph(
            "Area under the curve of training people against held-out ones; 0.5 tells nothing. "
            "Whoever computes a figure must already hold what stands beside it."
        ),
        Table("Membership", ["Figure", "Needs", "AUC", "95 % interval"], rows),
    ]


def _show(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
