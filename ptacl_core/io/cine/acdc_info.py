"""ACDC's `Info.cfg` beside a cine: end-diastole, end-systole (from 1), height and weight."""

from dataclasses import replace
from pathlib import Path

from ptacl_core.io.ecg.person_facts import build_person
from ptacl_core.io.files.bounded_file import read_bytes
from ptacl_core.records import CineRecord, Finding

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
    findings = list(record.findings)
    return replace(
        record,
        end_diastole=_frame("end_diastole", facts.get("ed"), num_frames, findings),
        end_systole=_frame("end_systole", facts.get("es"), num_frames, findings),
        findings=tuple(findings),
        person=build_person(height_cm=facts.get("height"), weight_kg=facts.get("weight")),
    )


def refuse_frame(name: str, frame: int, num_frames: int) -> Finding:
    """What to say of a stated frame (from 0) that the cine does not have."""
    return Finding(
        "stated_frame_impossible",
        "warning",
        f"{name} is stated as frame {frame}, counted from 0, of a cine with {num_frames} frames: "
        "not used",
    )


def _frame(name: str, text: str | None, num_frames: int, findings: list[Finding]) -> int | None:
    """A frame counted from 0; None for nothing, and for what the cine does not have (a finding)."""
    if not text or not text.isdecimal():
        return None
    frame = int(text) - 1
    if 0 <= frame < num_frames:
        return frame
    findings.append(refuse_frame(name, frame, num_frames))
    return None
