"""Files that a walk found → the plan: whose they are, and what was recorded together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from ptacl_core.errors import RecordError
from ptacl_core.ingest.copies import WHOLE_FILE_FORMATS, find_copies
from ptacl_core.ingest.plan import Plan, PlannedRecording, PlannedVisit, UnusedFile
from ptacl_core.io.discover.found import FoundFile
from ptacl_core.io.discover.names import strip_endings
from ptacl_core.io.files.delimited_columns import open_delimited
from ptacl_core.io.identity.facts import clean_identifier, fold_identifier
from ptacl_core.io.identity.pairing import DEFAULT_DAYS, Item, number_visits, pair_visits
from ptacl_core.io.identity.resolve import Evidence, Person, resolve_people
from ptacl_core.io.layouts.apply import (
    AppliedLayout,
    LaidOut,
    apply_layout,
    find_path_manifest,
    has_a_mark,
    recognise,
)
from ptacl_core.io.layouts.model import Layout, TableRule, load_layouts
from ptacl_core.io.layouts.tables import DataSetTable, find_split_by_person, read_table

_ARRAY_ENDINGS = (".npy", ".npz")


@dataclass(slots=True)
class Discovery:
    """What was found, source by source, and how people are told from it.

    `withdrawn` are folded identifiers of people to leave out, beside those of lists found.
    """

    files: list[list[FoundFile]] = field(default_factory=list)
    layout: Layout | None = None
    within_days: int = DEFAULT_DAYS
    ecg_hints: Mapping[str, Any] = field(default_factory=dict)
    withdrawn: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Known:
    """One recording on its way into the plan."""

    laid: LaidOut
    source: int
    is_firm: bool
    person: Person = field(default_factory=lambda: Person(""))


def make_plan(discovery: Discovery) -> Plan:
    """The plan of everything that was found; see `resolve_people` for the rules."""
    plan = Plan()
    known: list[_Known] = []
    names: list[str] = []
    arrays = [_as_arrays(files, discovery.ecg_hints) for files in discovery.files]
    everywhere = recognise([file for files in arrays for file in files], _all_layouts())
    for source, files in enumerate(arrays):
        layouts = [discovery.layout] if discovery.layout else _choose_layouts(files, everywhere)
        applied, used = _apply_layouts(files, layouts)
        names += used
        plan.set_tables += applied.tables
        plan.notes += applied.notes
        is_firm = discovery.layout is not None
        known += [_Known(laid, source, is_firm) for laid in applied.recordings]
        _sort_others(applied.others, plan)
    plan.layouts = tuple(dict.fromkeys(names))
    tables = {*plan.tables, *(table.path for table in plan.set_tables)}
    plan.table_places = {
        file.path: file.place for files in arrays for file in files if file.path in tables
    }
    _join_across_sources(known, plan.set_tables)
    _take_manifests(known, plan)
    _resolve(known)
    plan.withdrawn = discovery.withdrawn | frozenset(
        fold_identifier(row.subject)
        for table in plan.set_tables
        if table.rule.is_withdrawal
        for row in table.rows
    )
    _plan_visits(known, plan, discovery)
    return plan


def _as_arrays(files: Sequence[FoundFile], hints: Mapping[str, Any]) -> list[FoundFile]:
    """Nameless arrays count as ECGs when the caller said what is in them."""
    return [
        replace(file, modality="ecg", reason="")
        if hints and file.modality == "unknown" and file.path.suffix.lower() in _ARRAY_ENDINGS
        else file
        for file in files
    ]


def _all_layouts() -> list[Layout]:
    return list(load_layouts().values())


def _choose_layouts(files: Sequence[FoundFile], everywhere: Sequence[Layout]) -> list[Layout]:
    """Layouts recognised over all sources: whole where a source has a mark, else their tables.

    So a table or a withdrawal list may lie in a source of its own.
    """
    return [
        layout if has_a_mark(files, layout) else layout.model_copy(update={"recordings": ()})
        for layout in everywhere
    ]


def _apply_layouts(
    files: Sequence[FoundFile], layouts: Sequence[Layout]
) -> tuple[AppliedLayout, list[str]]:
    """Every layout over what those before did not decide."""
    result = AppliedLayout()
    rest = list(files)
    for layout in layouts:
        applied = apply_layout(rest, layout)
        result.tables += applied.tables
        result.recordings += [laid for laid in applied.recordings if laid.is_decided]
        rest = [laid.file for laid in applied.recordings if not laid.is_decided] + applied.others
    for file in rest:
        if file.modality in ("ecg", "cmr"):
            result.recordings.append(LaidOut(file))
        else:
            result.others.append(file)
    return result, [layout.name for layout in layouts]


def _join_across_sources(known: Sequence[_Known], tables: Sequence[DataSetTable]) -> None:
    """Recordings whose table came with another source."""
    for recording in known:
        laid = recording.laid
        if not laid.is_decided or laid.subject or laid.reason:
            continue
        place = PurePosixPath(*laid.file.place.parts)
        row = next((r for t in tables if (r := t.find(place, laid.record)) is not None), None)
        if row is not None:
            recording.laid = replace(laid, subject=row.subject, visit=row.visit, time=row.time)


def _sort_others(others: Sequence[FoundFile], plan: Plan) -> None:
    for file in others:
        if file.modality == "phenotypes":
            plan.tables.append(file.path)
        elif file.modality == "pairs":
            message = "a list of pairs: give it with --pairs and it decides"
            plan.unused.append(_unused(file, "not_a_recording", message))
        else:
            plan.unused.append(_unused(file, "not_a_recording", file.reason))


def _unused(file: FoundFile, reason: str, message: str) -> UnusedFile:
    return UnusedFile(
        file.path.name,
        file.subject,
        reason,
        message,
        file.place / file.member,
        file.modality,
        file.path,
        bool(file.member),
    )


def _take_manifests(known: Sequence[_Known], plan: Plan) -> None:
    """Tables that list files and whose they are decide, where they list one of ours.

    A file that they give to several people is left out.
    """
    owners: dict[int, set[str]] = defaultdict(set)
    open_ones = [recording for recording in known if not recording.laid.is_decided]
    texts = (".csv", ".tsv", ".txt", ".gz")
    others = [file.path for file in plan.unused if file.path and file.path.suffix.lower() in texts]
    paths = [*plan.tables, *others]
    for path in paths if open_ones else ():
        try:
            chosen = find_path_manifest(path, open_delimited(path).columns)
            if chosen is None:
                continue
            rule = TableRule(path=".*", subject=chosen[0], file=(chosen[1],))
            table = read_table(path, rule)
        except RecordError:
            continue  # its own line among the unused files says what is wrong with it
        num_joined = 0
        for recording in open_ones:
            named = table.find_people(PurePosixPath(*recording.laid.file.place.parts))
            if not named:
                continue
            num_joined += 1
            owners[id(recording)] |= named
            recording.laid = replace(recording.laid, subject=min(named), is_decided=True)
            recording.is_firm = True
        if num_joined:
            plan.notes.append(f"{path.name} tells whose {num_joined} recordings are")
    for recording in open_ones:
        if len({fold_identifier(subject) for subject in owners[id(recording)]}) > 1:
            message = "lists of files give it to several people; correct them, or use --pairs"
            recording.laid = replace(recording.laid, reason="identity_contradicts", message=message)


def _resolve(known: Sequence[_Known]) -> None:
    evidence = [_to_evidence(recording) for recording in known]
    for recording, person in zip(known, resolve_people(evidence), strict=True):
        recording.person = person
        if recording.laid.file.is_mixed and person.evidence in (("name",), ()):
            message = (
                "images of several examinations lie in one folder and do not say whose they are; "
                "give each its own folder, or say it with --pairs"
            )
            recording.person = Person("", reason="identity_unknown", message=message)


def _to_evidence(recording: _Known) -> Evidence:
    laid, file = recording.laid, recording.laid.file
    place = file.place
    if not file.path.is_dir() and place.parts:
        place = place.with_name(strip_endings(place.name)) if place.name else place
    return Evidence(
        place,
        "ecg" if file.modality == "ecg" else "cmr",
        file.facts,
        recording.source,
        laid.subject,
        laid.visit,
        _decided_by(recording),
        recording.is_firm,
    )


def _decided_by(recording: _Known) -> str:
    if not recording.laid.is_decided:
        return ""
    return "list or named layout" if recording.is_firm else "recognised layout"


def _plan_visits(known: Sequence[_Known], plan: Plan, discovery: Discovery) -> None:
    by_person: dict[str, list[_Known]] = defaultdict(list)
    num_withdrawn = 0
    for recording in known:
        person, file = recording.person, recording.laid.file
        if recording.laid.reason:
            if recording.laid.reason == "other_version":
                file = replace(file, modality="unknown")  # nothing is missing without it
            plan.unused.append(_unused(file, recording.laid.reason, recording.laid.message))
        elif not person.subject:
            plan.unused.append(_unused(file, person.reason, person.message))
        elif fold_identifier(person.subject) in plan.withdrawn:
            num_withdrawn += 1
        else:
            by_person[person.subject].append(recording)
    if num_withdrawn:
        plan.notes.append(
            f"{num_withdrawn} recordings of people on the withdrawal list were left out; "
            "`ptacl withdraw` removes people whom the cohort holds"
        )
    rows = [row for table in plan.set_tables for row in table.rows]
    splits, num_leaks = find_split_by_person(rows)
    if num_leaks:
        plan.notes.append(
            f"WARNING: the data set's own split puts {num_leaks} people on several sides; each "
            "gets one side here"
        )
    for subject, everything in sorted(by_person.items()):
        members = _without_copies(everything, plan)
        plan.visits += _visits_of(subject, members, discovery, splits.get(subject, ""))


def _without_copies(members: Sequence[_Known], plan: Plan) -> Sequence[_Known]:
    """One person's recordings; copies of a file beside it count once."""
    copies = find_copies(
        (recording.laid.file.path, recording.person.visit)
        for recording in members
        if recording.laid.file.modality == "ecg"
        and recording.laid.file.format in WHOLE_FILE_FORMATS
    )
    for recording in members if copies else ():
        file = recording.laid.file
        if file.path in copies:
            message = f"a copy of {copies[file.path].name}, which is taken"
            plan.unused.append(_unused(replace(file, modality="unknown"), "copy", message))
    return [recording for recording in members if recording.laid.file.path not in copies]


def _visits_of(
    subject: str, members: Sequence[_Known], discovery: Discovery, split: str
) -> list[PlannedVisit]:
    items = [
        Item(
            index,
            "ecg" if recording.laid.file.modality == "ecg" else "cmr",
            _tidy_label(recording.person.visit),
            recording.laid.time or recording.laid.file.facts.acquired,
            recording.laid.file.place,
        )
        for index, recording in enumerate(members)
    ]
    visits = pair_visits(items, within_days=discovery.within_days)
    planned = []
    for visit, number in zip(visits, number_visits(visits), strict=True):
        both = [members[index] for index in (visit.ecg, visit.cmr) if index is not None]
        evidence = tuple(
            dict.fromkeys(text for recording in both for text in recording.person.evidence)
        )
        ecg, cmr = (
            _to_recording(members[index], discovery) if index is not None else None
            for index in (visit.ecg, visit.cmr)
        )
        planned.append(
            PlannedVisit(
                subject,
                number,
                visit.label,
                ecg,
                cmr,
                evidence,
                visit.days_apart,
                split,
                names=tuple(
                    dict.fromkeys(name for recording in both for name in recording.person.names)
                ),
                codings=tuple(
                    {
                        recording.laid.file.facts.coding
                        for recording in both
                        if clean_identifier(recording.laid.file.facts.identifier)
                        and "identifier in the file" in recording.person.evidence
                    }
                ),
            )
        )
    return planned


def _tidy_label(label: str) -> str:
    return str(int(label)) if label.isdecimal() and len(label) <= 3 else label.strip()


def _to_recording(recording: _Known, discovery: Discovery) -> PlannedRecording:
    file = recording.laid.file
    hints = dict(recording.laid.hints)
    if file.modality == "ecg":
        hints = {**discovery.ecg_hints, **hints}
        if recording.laid.index is not None:
            hints["record_index"] = recording.laid.index
    return PlannedRecording(
        file.path,
        file.place / file.member,
        "ecg" if file.modality == "ecg" else "cmr",
        file.facts,
        hints,
        recording.laid.time or file.facts.acquired,
        is_among_others=bool(file.member),
        record=recording.laid.number,
    )
