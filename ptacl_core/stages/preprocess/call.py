"""One call of `ptacl preprocess`: what of a plan is new goes into the shards."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ptacl_core.cohort import Cohort, CohortLayout
from ptacl_core.cohort.identity.aliases import KnownPeople, read_known, write_known
from ptacl_core.cohort.identity.identities import put_identities
from ptacl_core.cohort.identity.keys import CohortKey
from ptacl_core.cohort.identity.register import open_register
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.ingest.assign import assign_patients
from ptacl_core.ingest.growth import Growth, Holdings, find_growth, settle_numbers
from ptacl_core.ingest.labels import (
    MatchedLabels,
    TableLabels,
    match_labels,
    remember_visits,
)
from ptacl_core.ingest.parts import hash_share, share_out
from ptacl_core.ingest.plan import Plan
from ptacl_core.ingest.shard_files import (
    SPLIT_SALT,
    IngestCounts,
    VisitTask,
    hide_subject,
    ingest_visits,
)
from ptacl_core.ingest.targets import Moment
from ptacl_core.ingest.visits import build_tasks, leave_out_erased
from ptacl_core.progress import ProgressSink
from ptacl_core.shards import Rejection, ShardWriter, assign_split
from ptacl_core.shards.manifest import find_sequence
from ptacl_core.stages.preprocess.contradictions import find_contradictions
from ptacl_core.stages.preprocess.summary import PreprocessSummary


@dataclass(slots=True)
class Call:
    """One call on its way: the plan, whose pseudonyms are which, what the cohort holds."""

    layout: CohortLayout
    key: CohortKey
    plan: Plan
    tables: Sequence[TableLabels]
    part: tuple[int, int]
    num_workers: int
    progress: ProgressSink
    rows_per_shard: int
    scratch: Path | None = None
    counts: IngestCounts = field(default_factory=IngestCounts)
    parts: dict[str, int] = field(default_factory=dict)
    numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    moments: dict[str, list[Moment]] = field(default_factory=dict)
    """When each ECG of the plan was made, for tables of targets."""

    def fill(
        self, settings: PreprocessSettings, *, keep_identities: bool, check: Callable[[], None]
    ) -> PreprocessSummary:
        """Write what is new into the shards, then merge their manifests.

        `check` is called between two visits and raises where the work shall end.
        """
        started_s = time.monotonic()
        shards = self.layout.shards
        known = read_known(shards, self.key)
        holdings = Holdings.read(shards)
        self._tell_withdrawn(holdings, known)
        patients = assign_patients(self.plan.visits, known, self.key)
        tasks = build_tasks(self.plan, patients, splits=holdings.splits)
        tasks = settle_numbers(tasks, holdings, known)
        self.numbers = {
            (task.patient, visit.label): task.visit
            for task, visit in zip(tasks, self.plan.visits, strict=True)
            if visit.label
        }
        for task, visit in zip(tasks, self.plan.visits, strict=True):
            if visit.ecg is not None:
                moment = Moment(task.visit, visit.ecg.time, visit.ecg.record)
                self.moments.setdefault(task.patient, []).append(moment)
        everybody = {task.patient for task in tasks}
        tasks = self._without_erased(tasks)
        gone = everybody - {task.patient for task in tasks}
        self.parts = share_out(tasks, self.part[1])
        mine = [task for task in tasks if self.is_mine(task.patient)]
        growth = find_growth(mine, holdings, known)
        self._tell(growth)
        writer = ShardWriter(
            shards,
            preprocessing=settings,
            prefix=f"files-{self.part[0] + 1}-of-{self.part[1]}-",
            rows_per_shard=self.rows_per_shard,
            sequence=find_sequence(shards) + 1,
        )
        if self.part[0] == 0:
            self._reject_unused(writer, holdings)
        withdrawn = ingest_visits(
            writer,
            growth.tasks,
            settings,
            num_workers=self.num_workers,
            counts=self.counts,
            progress=self.progress,
            find_stored=holdings.find_stored,
            withdrawn=open_register(self.layout, self.key),
            scratch=self.scratch,
            check=check,
        )
        writer.flush()
        matched = self._put_labels(settings, tasks, holdings, known)
        writer.finish()
        for patient, mark in growth.marks:
            known.add_mark(*mark, owner=patient)
        known.forget(gone | withdrawn)
        write_known(shards, known, prefix=f"{self.part[0] + 1}-of-{self.part[1]}-")
        if keep_identities:
            put_identities(
                self.layout,
                {task.patient: task.subject for task in mine if task.patient not in withdrawn},
            )
        self.plan.notes += find_contradictions(shards)
        num_records = sum((t.ecg is not None) + (t.cmr is not None) for t in growth.tasks)
        rate = num_records / max(time.monotonic() - started_s, 1e-9)
        return self._summarise(growth, matched, rate)

    def is_mine(self, patient: str) -> bool:
        """Whether this part of an array job looks after a person."""
        index, count = self.part
        return self.parts.get(patient, hash_share(patient, count)) == index

    def _without_erased(self, tasks: list[VisitTask]) -> list[VisitTask]:
        with Cohort.open(self.layout.root) as cohort:
            tasks, num_erased = leave_out_erased(self.plan, tasks, cohort, self.key)
        if num_erased:
            self.progress.say(f"{num_erased} people withdrew from this cohort: left out")
        return tasks

    def _tell_withdrawn(self, holdings: Holdings, known: KnownPeople) -> None:
        """People on a withdrawal list of the source whom the cohort holds from before."""
        held = {patient for patient, _ in holdings.rows}
        listed = {known.find("id", identifier) for identifier in self.plan.withdrawn}
        if still_held := len(held & listed):
            self.plan.notes.append(
                f"WARNING: the cohort holds {still_held} people of the withdrawal list; remove "
                "them with `ptacl withdraw COHORT LIST`"
            )

    def _tell(self, growth: Growth) -> None:
        if growth.num_finished:
            self.progress.say(f"{growth.num_finished} visits are finished: skipped")
        if growth.num_completed:
            self.progress.say(f"{growth.num_completed} visits get the half that they lacked")
        if growth.num_changed:
            self.progress.say(f"{growth.num_changed} visits have files that changed: made again")

    def _reject_unused(self, writer: ShardWriter, holdings: Holdings) -> None:
        """Files of no visit go to rejected.parquet, identifiers in their names replaced."""
        for file in self.plan.unused:
            patient = self.key.pseudonym(file.subject) if file.subject.strip() else ""
            name = hide_subject(file.name, file.subject, patient)
            message = hide_subject(file.message, file.subject, patient)
            if (name, file.reason) not in holdings.rejected_files:
                writer.reject(Rejection(patient, 0, file.modality, name, file.reason, message))
            self.counts.count_reason(file.reason)

    def _put_labels(
        self,
        settings: PreprocessSettings,
        tasks: Sequence[VisitTask],
        holdings: Holdings,
        known: KnownPeople,
    ) -> MatchedLabels:
        """Rows of the tables that the cohort does not know, of people with and without files."""
        remember_visits(known, self.numbers)
        held = {(task.patient, task.visit) for task in tasks} | holdings.rows.keys()
        matched = match_labels(self.tables, known, self.key, held)
        with Cohort.open(self.layout.root) as cohort:
            erased = cohort.find_erased({patient for patient, _ in matched.values})
        register = open_register(self.layout, self.key)
        withdrawn = {
            patient
            for subject, patient in matched.subjects.items()
            if register.holds_identifier(subject)
        }
        index, count = self.part
        writer = ShardWriter(
            self.layout.shards,
            preprocessing=settings,
            prefix=f"labels-{index + 1}-of-{count}-",
            sequence=find_sequence(self.layout.shards) + 1,
        )
        known.forget(erased | withdrawn)
        for (patient, visit), values in sorted(matched.values.items()):
            if patient in erased | withdrawn or not self.is_mine(patient):
                continue
            held = holdings.labels.get((patient, visit), {})
            new = {name: value for name, value in values.items() if held.get(name) != value}
            split = holdings.splits.get(patient) or self._split_of(patient, tasks)
            if new:
                writer.add_labels(patient, visit, split, new)
        writer.flush()
        return matched

    def _split_of(self, patient: str, tasks: Sequence[VisitTask]) -> str:
        stated = next((task.split for task in tasks if task.patient == patient), "")
        return stated or assign_split(patient, salt=SPLIT_SALT)

    def _summarise(
        self, growth: Growth, matched: MatchedLabels, records_per_s: float
    ) -> PreprocessSummary:
        counts = self.counts
        return PreprocessSummary(
            accepted={"ecg": counts.ecg, "cmr": counts.cmr, "pairs": counts.pairs},
            rejected=sum(counts.reasons.values()),
            reasons=dict(sorted(counts.reasons.items(), key=lambda item: -item[1])),
            records_per_s=records_per_s,
            plan=self.plan.count(),
            identity_reasons=self.plan.count_reasons(),
            finished=growth.num_finished,
            completed=growth.num_completed,
            changed=growth.num_changed,
            tables=matched.matched,
            without_visit=matched.without_visit,
            notes=tuple(self.plan.notes),
        )
