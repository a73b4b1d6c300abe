"""The plan as a table to read, correct and give back with `--pairs`."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path, PurePath

from ptacl_core.ingest.pairs import AMONG_OTHERS
from ptacl_core.ingest.parts import count_bytes
from ptacl_core.ingest.plan import Plan, PlannedRecording, PlannedVisit
from ptacl_core.safety.files.atomic import write_text

COLUMNS = (
    "patient",
    "visit",
    "ecg",
    "cmr",
    "days_apart",
    "split",
    "evidence",
    "note",
    "bytes",
    "hints",
    "table",
)


def write_plan(plan: Plan, path: Path, *, splits: Mapping[str, str] | None = None) -> None:
    """Write `path`: a line per visit, then the recordings left out, then the tables.

    A recording left out has no patient, a table neither patient nor recording. `bytes` shares
    people out among array jobs, `hints` (JSON) is what readers need beyond the files: so the table
    given back makes what the walk would have made. The file names people and is for its owner alone
    (mode 0600). `splits` tells the side of each person where it is known. Raises OSError.
    """
    text = io.StringIO()
    writer: csv.DictWriter[str] = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for visit in plan.visits:
        writer.writerow(_describe_visit(visit, (splits or {}).get(visit.subject, visit.split)))
    for file in plan.unused:
        if file.is_recording:
            place = _below_source(file.place) or file.name
            note = f"{file.reason}: {file.message}"
            hints = _to_json({AMONG_OTHERS: file.is_among_others})
            writer.writerow({file.modality: place, "note": note, "hints": hints})
    layouts = {table.path: table.layout for table in plan.set_tables}
    for table in (*plan.tables, *layouts):
        place = _below_source(plan.table_places.get(table, PurePath(table.name))) or table.name
        hints = _to_json({"layout": layouts.get(table, "")})
        writer.writerow({"table": place, "hints": hints, "note": "a table of the source"})
    write_text(path, text.getvalue())


def _describe_visit(visit: PlannedVisit, split: str) -> dict[str, str | int]:
    hints: dict[str, object] = {item.modality: item.hints for item in visit.recordings}
    hints[AMONG_OTHERS] = visit.cmr is not None and visit.cmr.is_among_others
    return {
        "patient": visit.subject,
        "visit": visit.number,
        "ecg": _cell(visit.ecg),
        "cmr": _cell(visit.cmr),
        "days_apart": "" if visit.days_apart is None else visit.days_apart,
        "split": split,
        "evidence": " + ".join(visit.evidence),
        "note": "" if visit.is_pair else "no cine" if visit.cmr is None else "no ECG",
        "bytes": sum(count_bytes(recording.path) for recording in visit.recordings),
        "hints": _to_json(hints),
    }


def _to_json(values: Mapping[str, object]) -> str:
    """What is said of `values`, "" for nothing."""
    stated = {name: value for name, value in values.items() if value}
    return json.dumps(stated, sort_keys=True) if stated else ""


def _cell(recording: PlannedRecording | None) -> str:
    if recording is None:
        return ""
    return _below_source(recording.place) or recording.place.name


def _below_source(place: PurePath) -> str:
    return "/".join(place.parts[1:])
