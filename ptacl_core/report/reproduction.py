"""The report of `ptacl reproduce`: one document for readers, in HTML and Markdown."""

from pathlib import Path

from ptacl_core.documents.reproduction import ReproductionDocument
from ptacl_core.report.alignment import describe_alignment
from ptacl_core.report.blocks import Block, Heading, Paragraph, Report
from ptacl_core.report.comparisons import describe_comparisons, summarise_verdicts
from ptacl_core.report.html import render_html
from ptacl_core.report.markdown import FIGURES_FOLDER, list_figures, render_markdown
from ptacl_core.report.provenance import describe_provenance
from ptacl_core.report.subgroups import describe_subgroups
from ptacl_core.report.table_one import describe_table_one
from ptacl_core.report.table_two import describe_table_two
from ptacl_core.report.uncertainty import describe_uncertainty
from ptacl_core.safety.files.atomic import write_json, write_text

RESEARCH_USE = "Research use only: not a medical device, not for diagnosis."


def write_report(folder: Path, document: ReproductionDocument) -> None:
    """Write report.html, report.md with figures/, and report.json. Raises OSError."""
    report = build_report(document)
    for name, svg in list_figures(report).items():
        write_text(folder / FIGURES_FOLDER / name, svg)
    write_text(folder / "report.md", render_markdown(report))
    write_text(folder / "report.html", render_html(report))
    write_json(folder / "report.json", document.as_dict())


def build_report(reproduction: ReproductionDocument) -> Report:
    """The report's blocks from the document of a reproduction."""
    document = reproduction.as_dict()
    cohort = document["cohort"]
    blocks: list[Block] = [Heading("Summary"), *_describe_headlines(reproduction)]
    blocks += [*_describe_health(reproduction), summarise_verdicts(document)]
    blocks.append(Paragraph(document["size_notes"]))
    if not document["is_whole"]:
        blocks.append(
            Paragraph(f"A part of the tables: {', '.join(document['methods'])}.", is_warning=True)
        )
    if cohort["unjudged"]:
        reasons = "; ".join(f"{name}: {why}" for name, why in cohort["unjudged"].items())
        blocks.append(Paragraph(f"Phenotypes that cannot be judged: {reasons}.", is_warning=True))
    blocks += describe_table_two(document)
    blocks += describe_comparisons(document)
    blocks += describe_table_one(document)
    blocks += describe_alignment(document)
    blocks += describe_uncertainty(document)
    blocks += describe_subgroups(document)
    if document["left_out"]:
        blocks.append(
            Paragraph(
                f"Not in the evaluation documents, so left out: {', '.join(document['left_out'])}.",
                is_warning=True,
            )
        )
    blocks += describe_provenance(document)
    title = f"PTACL, both tables reproduced: {cohort['name']}, size {document['size']}"
    return Report(title, (RESEARCH_USE, document["note"]), blocks)


def _describe_headlines(reproduction: ReproductionDocument) -> list[Block]:
    """What the ECG adds to demographics, and what its features save, before any table."""
    return [
        Paragraph(f"{headline.question} {headline.text}.") for headline in reproduction.headlines
    ]


def _describe_health(reproduction: ReproductionDocument) -> list[Block]:
    """Every stage that has not learned, and the rows that nothing is compared with."""
    blocks: list[Block] = [
        Paragraph(
            f"Run {run}, stage {name} has not learned: {'; '.join(stage.reasons)}.",
            is_warning=True,
        )
        for run, stages in reproduction.health.items()
        for name, stage in stages.items()
        if not stage.learned
    ]
    untrained = [f"{row.name} ({row.modality})" for row in reproduction.rows if row.failures]
    if untrained:
        words = f"Shown, but compared with nothing: {', '.join(untrained)}."
        blocks.append(Paragraph(words, is_warning=True))
    return blocks
