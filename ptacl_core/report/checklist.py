"""A checklist and a data sheet as documents for readers."""

from collections.abc import Mapping

from ptacl_core.documents.reviews import ChecklistDocument, DataSheetDocument
from ptacl_core.report.blocks import Block, Bullets, Heading, Paragraph, Report, Table
from ptacl_core.report.numbers import ABSENT
from ptacl_core.report.reproduction import RESEARCH_USE

_STATUS = {"answered": "answered from disk", "partly": "partly answered", "author": "author"}
FOR_THE_AUTHOR = "For the author to write"


def build_checklist_report(document: ChecklistDocument) -> Report:
    """Every item with its number, its answer and where it is from, and what is left."""
    counts = {status: sum(item.status == status for item in document.items) for status in _STATUS}
    blocks: list[Block] = [
        Paragraph(
            f"{len(document.items)} items after {document.reference}, in our own words: "
            f"{counts['answered']} answered from disk, {counts['partly']} in part, "
            f"{counts['author']} for the author. What no file tells is not answered."
        )
    ]
    section = ""
    for item in document.items:
        if item.section != section:
            section = item.section
            blocks.append(Heading(section))
        blocks.append(Heading(f"{item.number}  {item.asks}", level=3))
        lines = list(item.answer)
        if item.left:
            lines.append(f"{FOR_THE_AUTHOR}: {item.left}")
        if item.sources:
            lines.append(f"From {', '.join(item.sources)}")
        blocks.append(Bullets(lines))
    notices = [RESEARCH_USE, document.note]
    if document.unfit is not None:
        notices.append(f"Do not rely on the model: {document.unfit}")
    return Report(f"{document.title}: run {document.run} of {document.cohort}", notices, blocks)


def build_data_sheet_report(document: DataSheetDocument) -> Report:
    """Composition, collection, preparation, missingness and distributions."""
    smallest = document.smallest_cell
    left_out_note = f"Figures of fewer than {smallest} people are left out ({ABSENT})."
    recordings = ", ".join(f"{_show(n)} {name}" for name, n in document.recordings.items())
    blocks: list[Block] = [
        Heading("Composition"),
        Bullets(
            [
                f"{document.people} people; recordings: {recordings}",
                f"Sex: {_list(document.sex)} people",
                f"People by number of visits: {_list(document.visits_per_person)}",
                f"People in two splits: {_show(document.people_in_two_splits)}",
                *([left_out_note] if smallest > 1 else []),
            ]
        ),
        Table(
            "People by split",
            ["Split", "People", "With an ECG", "With a cine", "With both"],
            [
                [name, *map(_show, (split.people, split.ecg, split.cmr, split.pairs))]
                for name, split in document.splits.items()
            ],
        ),
        Heading("Collection"),
        Bullets(
            [
                f"{name} formats: {_list(counts)}{' people' if counts else ''}"
                for name, counts in document.formats.items()
            ]
        ),
        Heading("Preprocessing"),
        Bullets(
            [
                f"{part}: {', '.join(f'{key} {value}' for key, value in settings.items())}"
                for part, settings in (document.preprocessing or {}).items()
            ]
            + [f"Hash {document.preprocessing_hash}; manifest {document.manifest_sha256 or ABSENT}"]
        ),
        *_describe_left_out(document),
        *_describe_variables(document),
        Heading(FOR_THE_AUTHOR),
        Bullets(document.left_to_author),
    ]
    return Report(f"Data sheet: {document.cohort}", (RESEARCH_USE, document.note), blocks)


def _describe_left_out(document: DataSheetDocument) -> list[Block]:
    if document.rejected is None:
        left_out = ["Recordings left out: the cohort does not say."]
    else:
        left_out = [
            f"{modality} recordings left out: {_list(reasons)}"
            for modality, reasons in document.rejected.items()
        ] or ["No recording was left out."]
    findings = [
        f"{modality}, people in use with a finding: {_list(counts)}"
        for modality, counts in document.findings.items()
        if counts
    ]
    return [Heading("Left out, and findings of what is in use"), Bullets([*left_out, *findings])]


def _describe_variables(document: DataSheetDocument) -> list[Block]:
    rows = [
        [
            f"{variable.name} ({variable.unit})",
            _show(variable.present),
            _show(variable.missing),
            ABSENT if variable.mean is None else f"{variable.mean:g} ± {variable.sd:g}",
            ", ".join(f"{value:g}" for value in variable.quantiles) or ABSENT,
        ]
        for variable in document.variables
    ]
    header = ["Variable", "People", "Missing in", "Mean ± SD", "5, 25, 50, 75, 95 %"]
    return [Heading("Missing values and distributions"), Table("Over recordings", header, rows)]


def _list(counts: Mapping[str, int | None]) -> str:
    return ", ".join(f"{name} {_show(count)}" for name, count in counts.items()) or "none"


def _show(count: int | None) -> str:
    return ABSENT if count is None else str(count)
