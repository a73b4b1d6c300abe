"""`ptacl preprocess --plan`: who, which visits, which files and why, before anything is made."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptacl_core.cohort import CohortLayout
from ptacl_core.cohort.identity.aliases import KnownPeople, read_known
from ptacl_core.cohort.identity.keys import CohortKey, make_key, open_key
from ptacl_core.documents.preprocess import PlanDocument, Unmatched
from ptacl_core.errors import ConfigError
from ptacl_core.ingest.assign import assign_patients
from ptacl_core.ingest.growth import Holdings
from ptacl_core.ingest.labels import count_matches, read_tables
from ptacl_core.ingest.plan import Plan
from ptacl_core.ingest.plan_table import write_plan
from ptacl_core.ingest.shard_files import SPLIT_SALT
from ptacl_core.ingest.sources import Sources, read_plan
from ptacl_core.io.identity.pairing import DEFAULT_DAYS
from ptacl_core.io.layouts.model import find_layout
from ptacl_core.io.phenotypes.sex_coding import check_sex_coding
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.shards import assign_split
from ptacl_core.stages.preprocess.summary import count_unmatched, describe_tables

_NO_FILE = Path("-")


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """The counts of a plan; `path` is None where it was not written."""

    counts: dict[str, int]
    identity_reasons: dict[str, int]
    tables: dict[str, tuple[int, int]]
    layouts: tuple[str, ...]
    notes: tuple[str, ...]
    path: Path | None
    splits: dict[str, int] = field(default_factory=dict)

    @property
    def unmatched(self) -> Unmatched:
        """Recordings that are nobody's, people of tables without a recording, such tables."""
        return count_unmatched(self.counts["recordings_left_out"], self.tables)

    def document(self) -> PlanDocument:
        """What `--json` prints."""
        return PlanDocument(
            plan=self.counts,
            left_out=self.identity_reasons,
            layouts=self.layouts,
            notes=self.notes,
            tables=describe_tables(self.tables),
            people_by_split=self.splits,
            unmatched=self.unmatched,
        )


def run(
    sources: Sources,
    path: Path,
    *,
    cohort_dir: Path | None = None,
    phenotypes: Sequence[Path] | None = None,
    key_file: Path | None = None,
    progress: ProgressSink = SILENT,
) -> PlanSummary:
    """Write the plan of `sources` to `path` ("-": nowhere) and count it; nothing else is made.

    With a cohort that is there, people have the side of the split that they have or will have.
    `key_file` gets a new key where there is none yet, for parts that are made apart. Raises
    RecordError when a source is missing.
    """
    plan = read_plan(sources, progress)
    tables = read_tables(
        list(phenotypes or ()) or plan.tables,
        plan.set_tables,
        withdrawn=plan.withdrawn,
        sex_coding=sources.sex_coding,
    )
    for table in tables:
        for finding in table.findings:
            progress.say(f"{table.name}: {finding}")
    splits = _find_splits(plan, cohort_dir)
    if path != _NO_FILE:
        write_plan(plan, path, splits=splits)
    if key_file is not None:
        make_key(key_file)
    notes = list(plan.notes)
    if plan.layouts:
        notes.append(f"recognised: {', '.join(plan.layouts)}")
    return PlanSummary(
        plan.count(),
        plan.count_reasons(),
        count_matches(tables, {n for visit in plan.visits for n in (visit.subject, *visit.names)}),
        plan.layouts,
        tuple(notes),
        None if path == _NO_FILE else path,
        dict(Counter(splits.values())),
    )


def split_arguments(
    sources: Sequence[Path], cohort: Path | None, *, has_list: bool, is_plan: bool
) -> tuple[Path | None, list[Path]]:
    """Cohort and sources: `COHORT SOURCE…`, or `SOURCE… --cohort COHORT`.

    Raises ConfigError when one of them is missing.
    """
    paths = list(sources)
    if cohort is None and paths and (not is_plan or (paths[0] / "cohort.toml").is_file()):
        cohort = paths.pop(0)
    if cohort is None and not is_plan:
        raise ConfigError("expected a cohort directory: ptacl preprocess COHORT SOURCE…")
    if not paths and not has_list:
        raise ConfigError(
            "expected at least one source: ptacl preprocess COHORT SOURCE…, or SOURCE… --cohort "
            "COHORT"
        )
    return cohort, paths


def build_sources(
    paths: Sequence[Path],
    *,
    files_from: Path | None,
    pairs: Path | None,
    layout: str | None,
    within_days: int | None,
    ecg_hints: Mapping[str, Any],
    sex_coding: str | None = None,
    withdrawn: Sequence[Path] = (),
    scratch: Path | None = None,
) -> Sources:
    """What a command asks for. Raises ConfigError for an unknown layout or coding of sex."""
    check_sex_coding(sex_coding)
    return Sources(
        tuple(paths),
        files_from,
        pairs,
        find_layout(layout) if layout else None,
        DEFAULT_DAYS if within_days is None else within_days,
        ecg_hints,
        sex_coding,
        tuple(withdrawn),
        None if scratch is None else scratch.absolute(),
    )


def _find_splits(plan: Plan, cohort_dir: Path | None) -> dict[str, str]:
    """Subject → side of the split, where the cohort's key tells it or the data set does."""
    stated = {visit.subject: visit.split for visit in plan.visits if visit.split}
    if cohort_dir is None or not (cohort_dir / "cohort.toml").is_file():
        return stated
    layout = CohortLayout(cohort_dir.absolute())
    key: CohortKey = open_key(layout, create=True)
    known: KnownPeople = read_known(layout.shards, key)
    held = Holdings.read(layout.shards).splits
    patients = assign_patients(plan.visits, known, key)
    return {
        subject: held.get(patient) or stated.get(subject) or assign_split(patient, salt=SPLIT_SALT)
        for subject, patient in patients.items()
    }
