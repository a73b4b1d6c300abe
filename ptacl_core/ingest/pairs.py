"""A list of pairs, written by a person or by `--plan`: it decides whose each recording is."""

import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ptacl_core.errors import RecordError
from ptacl_core.ingest.listed_places import PlaceFinder, tidy_place
from ptacl_core.ingest.plan import PlannedRecording
from ptacl_core.io.files.delimited_columns import open_delimited, read_columns
from ptacl_core.io.identity.facts import clean_identifier, fold_identifier
from ptacl_core.io.phenotypes.cells import find_text_fault
from ptacl_core.io.phenotypes.columns import find_meaning
from ptacl_core.json_values import JsonObject
from ptacl_core.safety.text.printable import clean_text

PAIR_COLUMNS = ("patient", "ecg", "cmr")
CENTRE_COLUMNS = ("centre_row", "centre_column")
"""Optional: the heart centre in pixels of the source image, where the found one is wrong."""
AMONG_OTHERS = "cmr_is_among_others"
"""Hint that a cell is the first image of an examination whose images lie among others'."""
_MAX_DIGITS = 18
_WHOLE = re.compile(r"^(\d+)\.0$")
_SPLIT_WORDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
_PLACES = ("", "path", "file", "folder", "filename", "filepath", "dir", "directory", "zip")
_SPELLINGS = {
    "ecg": tuple(f"{word}{what}" for word in ("ecg", "ekg") for what in _PLACES),
    "cmr": tuple(
        f"{word}{what}" for word in ("cmr", "cine", "mri", "mrt", "irm") for what in _PLACES
    ),
    "centre_row": ("centrerow",),
    "centre_column": ("centrecolumn",),
    "split": ("split",),
    "bytes": ("bytes",),
    "hints": ("hints",),
    "table": ("table",),
}


@dataclass(frozen=True, slots=True)
class PairRow:
    """One line: a person, the visit ("" none), the cells of both recordings ("" none).

    The rest is what a plan says: the split, the bytes of the visit's files, what readers need by
    modality (for a table the name of its layout), and a table of the source.
    """

    where: str
    patient: str
    visit: str
    ecg: str
    cmr: str
    centre_px: tuple[float, float] | None
    split: str = ""
    num_bytes: int = 0
    hints: Mapping[str, Any] = field(default_factory=dict)
    table: str = ""


def read_pair_rows(path: Path) -> list[PairRow]:
    """The lines of a list of pairs; any delimiter.

    One patient in several spellings (007 and 7, h1 and H1, 17.0) is one; words for nobody
    (`unknown`) are no patient. Lines without a patient are left out by the caller (what a plan
    could not place). Raises RecordError for missing columns, lines of another number of cells, a
    patient that a spreadsheet rounded, a split or a heart centre that is none, or hints that are
    not those of a plan.
    """
    shown = clean_text(path.name)
    table = open_delimited(path)
    columns = _find_columns(table.columns)
    missing = set(PAIR_COLUMNS) - set(columns)
    if missing:
        raise RecordError(
            f"{shown}: expected columns {', '.join(PAIR_COLUMNS)} and optionally visit; missing: "
            f"{', '.join(sorted(missing))} (the delimiter found is {table.delimiter!r})"
        )
    names = list(columns)
    cells, num_skipped = read_columns(table, [columns[name] for name in names])
    if num_skipped:
        raise RecordError(
            f"{shown}: {num_skipped} lines have another number of cells than the header; correct "
            "them (a cell that holds the delimiter needs quotes)"
        )
    rows = []
    spellings: dict[str, str] = {}
    for number, values in enumerate(zip(*cells, strict=True), start=2):
        row = {name: value.strip() for name, value in zip(names, values, strict=True)}
        where = f"{shown} line {number}"
        rows.append(
            PairRow(
                where,
                _read_patient(row["patient"], spellings, where),
                _WHOLE.sub(r"\1", row.get("visit", "")),
                row["ecg"],
                row["cmr"],
                _read_centre(row, where),
                _read_split(row.get("split", ""), where),
                _read_bytes(row.get("bytes", "")),
                _read_hints(row.get("hints", ""), where),
                row.get("table", ""),
            )
        )
    return rows


def group_by_patient(rows: Sequence[PairRow]) -> dict[str, list[PairRow]]:
    """The lines of each person.

    Raises RecordError for a visit that comes twice, and for a file that is two people's.
    """
    by_patient: dict[str, list[PairRow]] = defaultdict(list)
    owners: dict[tuple[str, str], PairRow] = {}
    taken: set[tuple[str, str]] = set()
    for row in rows:
        if not row.patient:
            continue
        if row.visit and (row.patient, row.visit) in taken:
            raise RecordError(
                f"{row.where}: this patient and visit came before; give each visit one line"
            )
        for modality, cell in (("ecg", row.ecg), ("cmr", row.cmr)):
            first = owners.setdefault((modality, tidy_place(cell)), row) if cell else row
            if first.patient != row.patient:
                raise RecordError(
                    f"{row.where}: this {modality.upper()} is another patient's in "
                    f"{first.where}; give each file one patient"
                )
        taken.add((row.patient, row.visit))
        by_patient[row.patient].append(row)
    return dict(by_patient)


def find_recordings(
    rows: Sequence[PairRow],
    sources: Sequence[Path],
    discover_all: Callable[[], dict[str, PlannedRecording]],
) -> dict[tuple[str, str], PlannedRecording]:
    """(modality, cell) → the recording: a path from a source on, or a place that a walk finds.

    See `PlaceFinder` for what a cell may say. Raises RecordError where that is several files, or
    two people's cells are one.
    """
    finder = PlaceFinder(sources, discover_all)
    recordings: dict[tuple[str, str], PlannedRecording] = {}
    owners: dict[tuple[str, Path, str], PairRow] = {}
    for row in rows:
        for modality, cell in (("ecg", row.ecg), ("cmr", row.cmr)):
            if not cell or not row.patient:
                continue
            known = recordings.get((modality, cell))
            stated = row.hints.get(modality, {})
            recording = known or finder.find(
                cell,
                modality,
                where=row.where,
                is_one_of_many="record_index" in stated,
                is_among_others=modality == "cmr" and bool(row.hints.get(AMONG_OTHERS)),
            )
            if stated:
                recording = replace(recording, hints=dict(stated))
            recordings[modality, cell] = recording
            place = modality, recording.path, str(recording.place)
            first = owners.setdefault(place, row)
            if first.patient != row.patient:
                raise RecordError(
                    f"{row.where}: this {modality.upper()} is another patient's in "
                    f"{first.where}; give each file one patient"
                )
    return recordings


def _find_columns(header: Sequence[str]) -> dict[str, int]:
    columns: dict[str, int] = {}
    ranks: dict[str, int] = {}
    for index, text in enumerate(header):
        letters = "".join(c for c in text.strip().lower().lstrip("\ufeff") if c.isalnum())
        for name, spellings in _SPELLINGS.items():
            if letters in spellings:
                columns.setdefault(name, index)
        meaning = find_meaning(text) if letters else None
        if meaning is not None and meaning.quantity in ("subject", "visit"):
            name = "patient" if meaning.quantity == "subject" else "visit"
            if meaning.rank < ranks.get(name, 1_000):
                columns[name], ranks[name] = index, meaning.rank
    return columns


def _read_patient(cell: str, spellings: dict[str, str], where: str) -> str:
    """The patient as first spelt in the list; "" for nobody."""
    if find_text_fault(cell) == "rounded":
        raise RecordError(
            f"{where}: this patient was rounded by a spreadsheet (as 9.00E+06); export the column "
            "as text"
        )
    tidy = _WHOLE.sub(r"\1", cell)
    is_a_word = not any(character.isdecimal() for character in tidy)
    if is_a_word and (find_text_fault(tidy) == "empty" or not clean_identifier(tidy)):
        return ""
    return spellings.setdefault(fold_identifier(tidy), tidy)


def _read_split(cell: str, where: str) -> str:
    """train, val or test as written by whoever; "" for none."""
    if not cell:
        return ""
    for name, words in _SPLIT_WORDS.items():
        if cell.casefold() in words:
            return name
    raise RecordError(
        f"{where}: expected a split of {', '.join(_SPLIT_WORDS)} or nothing, got "
        f"'{clean_text(cell, max_length=20)}'"
    )


def _read_bytes(cell: str) -> int:
    return int(cell) if cell.isdecimal() and len(cell) <= _MAX_DIGITS else 0


def _read_hints(cell: str, where: str) -> JsonObject:
    """What a plan says that readers need: by modality, or the layout of a table."""
    try:
        stated = json.loads(cell) if cell else {}
    except (ValueError, RecursionError):
        stated = None
    is_of_a_plan = isinstance(stated, dict) and all(
        isinstance(stated.get(name, {}), dict) for name in ("ecg", "cmr")
    )
    if stated is None or not is_of_a_plan:
        raise RecordError(
            f"{where}: expected in the column hints what --plan wrote there, got "
            f"'{clean_text(cell, max_length=40)}'; leave it as it was, or empty"
        )
    return stated


def _read_centre(row: dict[str, str], where: str) -> tuple[float, float] | None:
    cells = [row.get(name, "") for name in CENTRE_COLUMNS]
    if not any(cells):
        return None
    try:
        centre_row, centre_column = (float(cell) for cell in cells)
    except ValueError:
        raise RecordError(
            f"{where}: expected numbers in both of {' and '.join(CENTRE_COLUMNS)}, got "
            f"'{clean_text(cells[0], max_length=20)}' and '{clean_text(cells[1], max_length=20)}'"
        ) from None
    if not all(math.isfinite(number) and number >= 0 for number in (centre_row, centre_column)):
        raise RecordError(
            f"{where}: a heart centre lies inside its image, got {' and '.join(cells)}"
        )
    return centre_row, centre_column
