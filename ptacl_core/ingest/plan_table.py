"""The plan as a table to read, correct and give back with `--pairs`."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from ptacl_core.ingest.plan import Plan, PlannedRecording
from ptacl_core.safety.files.atomic import write_text

COLUMNS = ("patient", "visit", "ecg", "cmr", "days_apart", "split", "evidence", "note")


def write_plan(plan: Plan, path: Path, *, splits: Mapping[str, str] | None = None) -> None:
    """Write `path`: a line per visit, then a line without a patient per recording left out.

    The file names people and is for its owner alone (mode 0600). `splits` tells the side of each
    person where it is known. Raises OSError.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for visit in plan.visits:
        split = (splits or {}).get(visit.subject, visit.split)
        note = "" if visit.is_pair else "no cine" if visit.cmr is None else "no ECG"
        days = "" if visit.days_apart is None else visit.days_apart
        evidence = " + ".join(visit.evidence)
        cells = (_cell(visit.ecg), _cell(visit.cmr), days, split, evidence, note)
        writer.writerow((visit.subject, visit.number, *cells))
    for file in plan.unused:
        if file.is_recording:
            place = "/".join(file.place.parts[1:]) or file.name
            places = (place, "") if file.modality == "ecg" else ("", place)
            writer.writerow(("", "", *places, "", "", "", f"{file.reason}: {file.message}"))
    write_text(path, text.getvalue())


def _cell(recording: PlannedRecording | None) -> str:
    if recording is None:
        return ""
    return "/".join(recording.place.parts[1:]) or recording.place.name
