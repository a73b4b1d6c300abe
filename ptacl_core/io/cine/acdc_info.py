"""ACDC's `Info.cfg` beside a cine: end-diastole, end-systole (from 1), height and weight."""

from dataclasses import replace
from pathlib import Path

from ptacl_core.io.ecg.person_facts import build_person
from ptacl_core.io.files.bounded_file import read_bytes
from ptacl_core.records import CineRecord

_MAX_BYTES = 64 * 1024


def add_stated_facts(record: CineRecord, path: Path) -> CineRecord:
    """`record` of the NIfTI file `path` with what an `Info.cfg` beside it states.

    The file counts only when its number of frames is the cine's. Raises UnreadableFileError.
    """
    beside = path.with_name("Info.cfg")
    if not beside.is_file():
        return record
    text = read_bytes(beside, max_bytes=_MAX_BYTES).decode("utf-8", errors="replace")
    pairs = (line.partition(":") for line in text.splitlines())
    facts = {key.strip().lower(): value.strip() for key, _, value in pairs}
    num_frames = record.frames.shape[1]
    if facts.get("nbframe") != str(num_frames):
        return record
    return replace(
        record,
        end_diastole=_frame(facts.get("ed"), num_frames),
        end_systole=_frame(facts.get("es"), num_frames),
        person=build_person(height_cm=facts.get("height"), weight_kg=facts.get("weight")),
    )


def _frame(text: str | None, num_frames: int) -> int | None:
    """A frame counted from 0, None for what is none of the cine's."""
    number = int(text) if text and text.isdigit() else 0
    return number - 1 if 1 <= number <= num_frames else None
