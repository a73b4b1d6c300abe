"""The plan that a list of pairs makes: it decides people, and visits where it names them."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ptacl_core.errors import RecordError
from ptacl_core.ingest.listed_tables import take_listed_tables
from ptacl_core.ingest.pairs import PairRow, find_recordings, group_by_patient, read_pair_rows
from ptacl_core.ingest.plan import Plan, PlannedRecording, PlannedVisit, UnusedFile
from ptacl_core.io import discover
from ptacl_core.io.files.archive import is_zip
from ptacl_core.io.identity.pairing import DEFAULT_DAYS, Item, Visit, number_visits, pair_visits
from ptacl_core.io.layouts.model import Layout
from ptacl_core.safety.text.printable import clean_text

_EVIDENCE = ("list of pairs",)

Recordings = Mapping[tuple[str, str], PlannedRecording]


@dataclass(frozen=True, slots=True)
class _Loose:
    """One recording of a person whose visits the list does not name."""

    recording: PlannedRecording
    row: PairRow


def plan_from_list(
    path: Path,
    sources: Sequence[Path],
    walk: Callable[[], Plan],
    *,
    within_days: int = DEFAULT_DAYS,
    hints: Mapping[str, object] | None = None,
    layout: Layout | None = None,
) -> Plan:
    """Recordings as a list with columns patient, ecg, cmr and optionally visit pairs them.

    Paths start from the sources; an empty cell means that there is no such recording. Several
    lines of a person without visits are visits of their own, in order of time; where they share a
    file, what is nearest in time belongs together. The optional columns centre_row and
    centre_column override the heart centre of a cine. Tables are those that the list names, as a
    plan does; `walk` gives the plan of a walk, which is made where a place needs it. Raises
    RecordError for a source that is no folder and no archive, missing columns, a visit that comes
    twice, or a centre that is not two numbers.
    """
    for source in sources:
        if not source.is_dir() and not is_zip(source):
            raise RecordError(
                f"{clean_text(source.name)}: with a list of pairs the source is the folder that "
                "its paths start from, found a file; unpack the archive"
            )
    rows = read_pair_rows(path)
    recordings = {
        key: replace(recording, hints={**(hints or {}), **recording.hints})
        if key[0] == "ecg"
        else recording
        for key, recording in find_recordings(rows, sources, lambda: index_places(walk())).items()
    }
    plan = Plan()
    take_listed_tables(plan, rows, sources, walk, layout=layout)
    for row in rows:
        if not row.patient and (row.ecg or row.cmr):
            plan.unused += _without_patient(row)
    num_on_two_sides = 0
    for patient, lines in sorted(group_by_patient(rows).items()):
        visits = _visits_of(patient, lines, recordings, within_days)
        sides = {visit.split for visit in visits if visit.split}
        num_on_two_sides += len(sides) > 1
        side = next(iter(sides)) if len(sides) == 1 else ""
        plan.visits += [replace(visit, split=side) for visit in visits]
    if num_on_two_sides:
        plan.notes.append(
            f"WARNING: the list puts {num_on_two_sides} people on several sides of the split; each "
            "gets one side here"
        )
    return plan


def _without_patient(row: PairRow) -> list[UnusedFile]:
    message = "the list of pairs names no patient for it"
    return [
        UnusedFile(Path(cell).name, "", "identity_unknown", message, Path(cell), modality)
        for modality, cell in (("ecg", row.ecg), ("cmr", row.cmr))
        if cell
    ]


def _visits_of(
    patient: str, rows: Sequence[PairRow], recordings: Recordings, within_days: int
) -> list[PlannedVisit]:
    loose = [row for row in rows if not row.visit]
    cells = [cell for row in loose for cell in (("ecg", row.ecg), ("cmr", row.cmr)) if cell[1]]
    if len(loose) > 1 and len(set(cells)) < len(cells):
        return _pair_loose(patient, rows, recordings, within_days)
    stated = [_state(row, recordings) for row in rows]
    visits = [
        Visit(row.visit, order=(_time_of(state) if len(loose) > 1 else "", row.visit, ""))
        for row, state in zip(rows, stated, strict=True)
    ]
    order = sorted(range(len(rows)), key=lambda index: (visits[index].order, index))
    numbers = number_visits([visits[index] for index in order])
    return [
        PlannedVisit(
            patient,
            number,
            rows[index].visit,
            stated[index].get("ecg"),
            stated[index].get("cmr"),
            _EVIDENCE,
            split=rows[index].split,
            centre_px=rows[index].centre_px,
            num_bytes=rows[index].num_bytes,
        )
        for index, number in zip(order, numbers, strict=True)
    ]


def _state(row: PairRow, recordings: Recordings) -> dict[str, PlannedRecording]:
    return {
        modality: recordings[modality, cell]
        for modality, cell in (("ecg", row.ecg), ("cmr", row.cmr))
        if cell
    }


def _time_of(recordings: Mapping[str, PlannedRecording]) -> str:
    times = [
        time.isoformat() for recording in recordings.values() if (time := _read_time(recording))
    ]
    return min(times, default="9999")


def _read_time(recording: PlannedRecording):
    if recording.time is not None or not recording.path.exists():
        return recording.time
    times = [file.facts.acquired for file in discover(recording.path) if file.facts.acquired]
    return min(times, default=None)


def _pair_loose(
    patient: str, rows: Sequence[PairRow], recordings: Recordings, within_days: int
) -> list[PlannedVisit]:
    """Lines that share a file: what is nearest in time belongs together, every file once."""
    once: dict[tuple[str, str], _Loose] = {}
    for row in rows:
        for modality, cell in (("ecg", row.ecg), ("cmr", row.cmr)):
            if cell:
                once.setdefault((modality, cell), _Loose(recordings[modality, cell], row))
    loose = list(once.values())
    items = [
        Item(index, e.recording.modality, e.row.visit, _read_time(e.recording), e.recording.place)
        for index, e in enumerate(loose)
    ]
    visits = pair_visits(items, within_days=within_days)
    planned = []
    for visit, number in zip(visits, number_visits(visits), strict=True):
        ecg, cmr = (loose[index] if index is not None else None for index in (visit.ecg, visit.cmr))
        planned.append(
            PlannedVisit(
                patient,
                number,
                visit.label,
                ecg.recording if ecg else None,
                cmr.recording if cmr else None,
                _EVIDENCE,
                visit.days_apart,
                centre_px=cmr.row.centre_px if cmr else None,
            )
        )
    return planned


def index_places(plan: Plan) -> dict[str, PlannedRecording]:
    """Recordings of a walk by their place below the source, as lists write it."""
    by_place: dict[str, PlannedRecording] = defaultdict()
    for visit in plan.visits:
        for recording in visit.recordings:
            by_place.setdefault("/".join(recording.place.parts[1:]), recording)
    for file in plan.unused:
        if file.path is not None and file.is_recording:
            modality = "ecg" if file.modality == "ecg" else "cmr"
            place = "/".join(file.place.parts[1:])
            by_place.setdefault(place, PlannedRecording(file.path, file.place, modality))
    return dict(by_place)
