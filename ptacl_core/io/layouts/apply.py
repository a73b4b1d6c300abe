"""A layout applied to what a walk found: recordings with their person, tables, what is left out."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from ptacl_core.errors import RecordError
from ptacl_core.io.discover.found import FoundFile
from ptacl_core.io.discover.kinds import without_name
from ptacl_core.io.hints import ReaderHints
from ptacl_core.io.layouts.model import Layout, RecordingRule, find_table_rule, matches
from ptacl_core.io.layouts.tables import DataSetTable, TableRow, read_table


@dataclass(frozen=True, slots=True)
class LaidOut:
    """One recording as a layout sees it: `found` and whose it is, "" where it does not say."""

    file: FoundFile
    subject: str = ""
    visit: str = ""
    record: str = ""
    rank: int = 0
    index: int | None = None
    hints: ReaderHints = field(default_factory=dict)
    time: datetime | None = None
    is_decided: bool = False
    reason: str = ""
    message: str = ""
    number: str = ""
    """The recording's number in the set's own table, else in its path."""


@dataclass(slots=True)
class AppliedLayout:
    """What became of the found files: recordings, and the tables that were read."""

    recordings: list[LaidOut] = field(default_factory=list)
    others: list[FoundFile] = field(default_factory=list)
    tables: list[DataSetTable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def recognise(files: Sequence[FoundFile], layouts: Sequence[Layout]) -> list[Layout]:
    """The layouts all of whose marks are there; most specific (most marks) first."""
    places = [as_posix(file) for file in files]
    fitting = [
        layout
        for layout in layouts
        if layout.recognise
        and all(any(matches(pattern, place) for place in places) for pattern in layout.recognise)
    ]
    return sorted(fitting, key=lambda layout: (-len(layout.recognise), layout.name))


def has_a_mark(files: Sequence[FoundFile], layout: Layout) -> bool:
    """Whether any of the layout's marks is there."""
    places = [as_posix(file) for file in files]
    return any(matches(pattern, place) for pattern in layout.recognise for place in places)


def as_posix(file: FoundFile) -> str:
    """The place of a file with forward slashes, whatever the system."""
    return PurePosixPath(*file.place.parts).as_posix()


def apply_layout(files: Sequence[FoundFile], layout: Layout) -> AppliedLayout:
    """Sort `found` by the layout's rules; files that no rule names go on as they are."""
    result = AppliedLayout()
    rest: list[FoundFile] = []
    for file in files:
        rule = find_table_rule(layout, as_posix(file))
        if rule is None:
            rest.append(file)
            continue
        extra = {
            column
            for recording in layout.recordings
            if recording.batch
            for column in recording.batch.where
        }
        try:
            table = read_table(file.path, rule, extra=extra)
            table.layout = layout.name
            result.tables.append(table)
        except (RecordError, OSError) as error:
            result.others.append(replace(file, modality="unknown", reason=without_name(error)))
    for file in rest:
        _apply_rules(file, layout, result)
    result.recordings = _choose_versions(result.recordings)
    return result


def _apply_rules(file: FoundFile, layout: Layout, result: AppliedLayout) -> None:
    place = as_posix(file)
    for rule in layout.recordings:
        match = matches(rule.path, place)
        if match is None:
            continue
        if rule.modality == "none":
            result.others.append(replace(file, modality="unknown", reason=rule.reason))
        elif file.modality not in (rule.modality, "unknown") or (
            file.modality == "unknown" and rule.batch is None and not rule.hints
        ):
            result.others.append(file)  # not what the set keeps there, or it cannot be read
        else:
            laid = replace(file, modality=rule.modality, reason="")
            groups = {name: text for name, text in match.groupdict().items() if text}
            result.recordings += _lay_out(laid, rule, groups, result.tables)
        return
    if file.modality in ("ecg", "cmr"):
        result.recordings.append(LaidOut(file))
    else:
        result.others.append(file)


def _lay_out(
    file: FoundFile, rule: RecordingRule, groups: dict[str, str], tables: Sequence[DataSetTable]
) -> list[LaidOut]:
    if rule.batch is not None:
        return _expand_batch(file, rule, groups, tables)
    place = PurePosixPath(*file.place.parts)
    record = groups.get("record", "")
    row = next((row for table in tables if (row := table.find(place, record)) is not None), None)
    subject = row.subject if row is not None else groups.get("subject", "")
    hints = dict(rule.hints)
    if rule.modality == "cmr":
        hints |= {k: v for table in tables for k, v in table.find_frames(subject).items()}
    return [
        LaidOut(
            file,
            subject,
            (row.visit if row is not None else "") or groups.get("visit", ""),
            record,
            rule.rank,
            hints=hints,
            time=row.time if row is not None else None,
            is_decided=True,
            number=(row.record if row is not None else "") or record,
        )
    ]


def _expand_batch(
    file: FoundFile, rule: RecordingRule, groups: dict[str, str], tables: Sequence[DataSetTable]
) -> list[LaidOut]:
    """Every recording of a file of many, with the row that describes it."""
    from ptacl_core.io.ecg.batch import list_recordings

    assert rule.batch is not None
    try:
        listed = list_recordings(file.path)
    except RecordError as error:
        return [
            LaidOut(file, is_decided=True, reason="unreadable_file", message=without_name(error))
        ]
    where = {column: value.format(**groups) for column, value in rule.batch.where.items()}
    rows: list[TableRow | None] = []
    if where:
        chosen = [row for table in tables for row in table.choose(where)]
        if len(chosen) != len(listed):
            message = (
                f"the file holds {len(listed)} recordings and its table describes {len(chosen)}; "
                "they cannot be told apart"
            )
            return [LaidOut(file, is_decided=True, reason="not_in_table", message=message)]
        rows = list(chosen)
    else:
        rows = [
            next(
                (t.by_record[listed_file.key] for t in tables if listed_file.key in t.by_record),
                None,
            )
            for listed_file in listed
        ]
    return [
        LaidOut(
            replace(file, place=file.place / listed_file.key),
            row.subject if row is not None else "",
            row.visit if row is not None else "",
            listed_file.key,
            index=listed_file.index if len(listed) > 1 else None,
            hints=dict(rule.hints),
            time=row.time if row is not None else None,
            is_decided=True,
            number=(row.record if row is not None else "") or listed_file.key,
        )
        for listed_file, row in zip(listed, rows, strict=True)
    ]


def _choose_versions(recordings: Sequence[LaidOut]) -> list[LaidOut]:
    """Of several versions of one record (PTB-XL at 100 and 500 Hz) the first of rank."""
    best: dict[tuple[str, str], int] = {}
    for recording in recordings:
        if recording.is_decided and recording.record and recording.subject:
            key = recording.subject, recording.record
            best[key] = min(best.get(key, recording.rank), recording.rank)
    result: list[LaidOut] = []
    for recording in recordings:
        if recording.rank > best.get((recording.subject, recording.record), recording.rank):
            message = "another version of the same recording, at a higher rate, was taken"
            result.append(replace(recording, reason="other_version", message=message))
        else:
            result.append(recording)
    return result


def find_path_manifest(path: Path, columns: Sequence[str]) -> tuple[str, str] | None:
    """(subject column, path column) when a table lists files and whose they are."""
    from ptacl_core.io.phenotypes.columns import find_meaning
    from ptacl_core.io.phenotypes.words import fold_name

    subjects = defaultdict(list)
    for column in columns:
        meaning = find_meaning(column.replace("_", ""))
        if fold_name(column) in _NOT_PEOPLE:
            continue
        if meaning is not None and meaning.quantity == "subject" and column.strip():
            subjects[meaning.rank].append(column)
    paths = [column for column in columns if _PATH_COLUMN.fullmatch(column.strip().lower())]
    if not subjects or not paths or path.name.lower().startswith("manifest."):
        return None
    return subjects[min(subjects)][0], paths[0]


_NOT_PEOPLE = {"name", "recordid", "casenumber", "caseno", "fallnummer"}
"""Columns that may number recordings or stays: who a file's person is, they do not decide."""
_PATH_COLUMN = re.compile(
    r"(?:ecg|cmr|cine|mri|recording|record|dicom|nifti|xml)?[_ ]?"
    r"(?:file|path|filename|filepath|file[_ ]name|file[_ ]path)"
)
