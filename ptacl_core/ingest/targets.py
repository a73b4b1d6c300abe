"""Tables of targets → values of the people and visits that have ECGs, in the store."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.cohort import Cohort, CohortLayout
from ptacl_core.cohort.identity.aliases import KnownPeople, read_known
from ptacl_core.cohort.identity.keys import CohortKey
from ptacl_core.cohort.identity.register import open_register
from ptacl_core.errors import CohortError, ConfigError
from ptacl_core.ingest.labels import find_person, number_visit
from ptacl_core.io.identity.facts import fold_identifier
from ptacl_core.io.targets.definitions import TargetFile, TargetTable
from ptacl_core.io.targets.table import TargetValue, TargetValues, read_target_table
from ptacl_core.records.targets import Target
from ptacl_core.shards import ShardReader
from ptacl_core.shards.spec import EVERY_VISIT


@dataclass(frozen=True, slots=True)
class Moment:
    """When an ECG of a visit was made, and its number in the data set; what is known of both."""

    visit: int
    time: datetime | None = None
    record: str = ""


GivenSet = dict[tuple[str, int], Float32[Array, " value"]]
"""Vectors that another model made, by (pseudonym, visit)."""

Moments = Mapping[str, Sequence[Moment]]
"""By pseudonym; only the call that walks the recordings knows them."""


@dataclass(slots=True)
class MatchedTargets:
    """Values by (pseudonym, visit, target) with the days from ECG to measurement, and counts."""

    values: dict[tuple[str, int, str], tuple[float, int | None]] = field(default_factory=dict)
    num_rows: int = 0
    num_strangers: int = 0
    num_unplaced: int = 0
    num_repeated: int = 0

    def describe(self) -> str:
        """One line of counts."""
        parts = [f"{len(self.values)} values of {len({key[0] for key in self.values})} people"]
        for count, words in (
            (self.num_strangers, "of people without an ECG here"),
            (self.num_unplaced, "of no ECG of their person"),
            (self.num_repeated, "repeat a person's ECG, and the nearest or first was kept"),
        ):
            if count:
                parts.append(f"{count} rows {words}")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class TargetSummary:
    """What reading tables of targets came to: counts by table, and findings."""

    tables: dict[str, str]
    findings: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it, a line each."""
        return (*self.findings, *(f"{name}: {text}" for name, text in self.tables.items()))


def read_values(file: TargetFile, given: Sequence[Path]) -> list[TargetValues]:
    """The values in the tables of the definitions, or in `given` ones in their place.

    Given tables are read by the first [[tables]] that fits their name, else by the first, else by
    the defaults. Raises ConfigError where a named table is missing, and as `read_target_table`.
    """
    if given:
        return [read_target_table(path, file, _choose_rule(file, path)) for path in given]
    tables = []
    for rule in file.tables:
        if not rule.file:
            raise ConfigError(
                f"{file.path.name}: a table without 'file' is given on the command line"
            )
        tables.append(read_target_table(file.path.parent / rule.file, file, rule))
    return tables


def _choose_rule(file: TargetFile, path: Path) -> TargetTable:
    named = [rule for rule in file.tables if rule.file and Path(rule.file).name == path.name]
    return (*named, *file.tables, TargetTable())[0]


def put_targets(
    cohort_dir: Path,
    file: TargetFile,
    tables: Sequence[TargetValues],
    *,
    key: CohortKey,
    moments: Moments | None = None,
    withdrawn: Set[str] = frozenset(),
) -> TargetSummary:
    """Define the targets and put their values into the store.

    Rows of people without an ECG in the cohort, of people who were erased or withdrew, and of no
    ECG of their person are counted and left out. `withdrawn` are folded identifiers. Raises
    ConfigError where a table tells its rows by time or recording and no `moments` are known, and
    where a target that has values would change its kind or unit.
    """
    layout = CohortLayout(cohort_dir.absolute())
    known = read_known(layout.shards, key)
    register = open_register(layout, key)
    held = read_ecg_visits(cohort_dir)
    values: dict[tuple[str, int, str], tuple[float, int | None]] = {}
    described = {}
    for table in tables:
        rows = [
            value
            for value in table.values
            if fold_identifier(value.subject) not in withdrawn
            and not register.holds_identifier(value.subject)
        ]
        _check_placeable(table, moments)
        matched = match_targets(rows, table.rule, known, key, held=held, moments=moments or {})
        for place, value in matched.values.items():
            values.setdefault(place, value)
        described[table.name] = matched.describe()
    with Cohort.open(cohort_dir) as cohort:
        _check_unchanged(cohort, file.targets)
        erased = cohort.find_erased({place[0] for place in values})
        before = {target.name: target for target in cohort.targets()}
    values = {place: value for place, value in values.items() if place[0] not in erased}
    together = tuple({**before, **{target.name: target for target in file.targets}}.values())
    _publish(cohort_dir, together, values)
    return TargetSummary(
        described,
        tuple(f"{table.name}: {finding}" for table in tables for finding in table.findings),
    )


def read_ecg_visits(cohort_dir: Path) -> dict[str, set[int]]:
    """By pseudonym, the visits of a cohort that have an ECG."""
    held: dict[str, set[int]] = defaultdict(set)
    with ShardReader.open(cohort_dir) as reader:
        for row in reader.rows(needs=("ecg",)).tolist():
            held[reader.patients[row]].add(int(reader.visits[row]))
    return held


def match_targets(
    rows: Sequence[TargetValue],
    rule: TargetTable,
    known: KnownPeople,
    key: CohortKey,
    *,
    held: Mapping[str, Set[int]],
    moments: Moments,
) -> MatchedTargets:
    """Values under the pseudonyms and visits of `held` ECGs; of several the nearest, or first."""
    matched = MatchedTargets(num_rows=len(rows))
    for row in rows:
        patient = find_person(row.subject, known) or key.pseudonym(row.subject)
        if patient not in held:
            matched.num_strangers += 1
            continue
        visit, days = _place(row, rule, patient, known, held[patient], moments.get(patient, ()))
        if visit is None:
            matched.num_unplaced += 1
            continue
        place = patient, visit, row.target
        before = matched.values.get(place)
        if before is not None:
            matched.num_repeated += 1
            if days is None or before[1] is None or abs(days) >= abs(before[1]):
                continue
        matched.values[place] = row.value, days
    return matched


def _place(
    row: TargetValue,
    rule: TargetTable,
    patient: str,
    known: KnownPeople,
    visits: Set[int],
    moments: Sequence[Moment],
) -> tuple[int | None, int | None]:
    """The visit that a row is of, and the days from its ECG; None where there is none."""
    if rule.recording:
        visits_of_record = [moment.visit for moment in moments if moment.record == row.recording]
        return (visits_of_record[0] if visits_of_record else None), None
    if row.time is not None:
        nearest = min(
            (
                (abs((row.time - moment.time).total_seconds()), moment)
                for moment in moments
                if moment.time is not None
            ),
            key=lambda pair: pair[0],
            default=None,
        )
        if nearest is None or nearest[1].time is None:
            return None, None
        days = (row.time - nearest[1].time).total_seconds() / 86400
        return (nearest[1].visit, round(days)) if abs(days) <= rule.within_days else (None, None)
    visit = number_visit(patient, row.visit, known)
    return (visit if visit == EVERY_VISIT or visit in visits else None), None


def check_targets(cohorts: Sequence[Path]) -> None:
    """Raise CohortError where cohorts that are merged define a target, or vectors, in two ways."""
    known: dict[str, tuple[Target, str]] = {}
    widths: dict[str, tuple[int, str]] = {}
    for path in cohorts:
        with Cohort.open(path) as cohort:
            for target in cohort.targets():
                before, where = known.setdefault(target.name, (target, path.name))
                if before != target:
                    raise CohortError(
                        f"{path.name}: its target {target.name} is defined otherwise than that of "
                        f"{where}; remove one of them, then merge again"
                    )
            for given in cohort.vector_sets():
                dim, where = widths.setdefault(given.name, (given.dim, path.name))
                if dim != given.dim:
                    raise CohortError(
                        f"{path.name}: its vectors {given.name} have {given.dim} values, those of "
                        f"{where} {dim}; remove one of them, then merge again"
                    )


def merge_targets(cohort_dir: Path, parts: Sequence[Path]) -> None:
    """Bring the targets of parts and their values into a cohort that holds the parts' people."""
    with Cohort.open(cohort_dir) as cohort:
        targets = {target.name: target for target in cohort.targets()}
        values: dict[tuple[str, int, str], tuple[float, int | None]] = {}
    for path in parts:
        with Cohort.open(path) as part:
            targets |= {target.name: target for target in part.targets()}
            values |= {
                (value.patient, value.visit, value.name): (value.value, value.days_apart)
                for value in part.target_values()
            }
    if targets:
        _publish(cohort_dir, tuple(targets.values()), values)


def merge_vectors(cohort_dir: Path, parts: Sequence[Path]) -> None:
    """Bring vectors that parts were given into a cohort that holds the parts' people."""
    sets: dict[str, GivenSet] = defaultdict(dict)
    for path in parts:
        with Cohort.open(path) as part:
            for summary in part.vector_sets():
                given = part.vectors(summary.name)
                places = zip(given.patients, given.visits, strict=True)
                sets[summary.name] |= dict(zip(places, given.values, strict=True))
    if sets:
        publish_vectors(cohort_dir, sets)


def publish_vectors(cohort_dir: Path, sets: Mapping[str, GivenSet]) -> None:
    """Write sets of vectors by name, each by (pseudonym, visit)."""
    import pyarrow as pa

    with Cohort.write(cohort_dir, purpose="vectors", waits=True) as writer:
        for name, vectors in sets.items():
            places = sorted(vectors)
            gone = writer.find_erased([place[0] for place in places])
            places = [place for place in places if place[0] not in gone]
            if not places:
                continue
            values = np.stack([vectors[place] for place in places])
            lists = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
            columns: dict[str, object] = {
                "patient": pa.array([place[0] for place in places]),
                "visit": pa.array([place[1] for place in places], pa.int32()),
                "name": pa.array([name] * len(places)),
                "vector": lists.cast(pa.list_(pa.float32())),
            }
            writer.put_vectors(pa.table(columns))
        writer.put_audit("vectors", names=sorted(sets))


def _check_placeable(table: TargetValues, moments: Moments | None) -> None:
    rule = table.rule
    if moments is None and (rule.time or rule.recording):
        column = rule.time or rule.recording
        raise ConfigError(
            f"{table.name}: its rows are told by '{column}', which only the recordings know: give "
            "the definitions with the recordings, `ptacl preprocess COHORT SOURCE --targets FILE` "
            "(what is finished is not made again)"
        )


def _check_unchanged(cohort: Cohort, targets: Sequence[Target]) -> None:
    before = {target.name: target for target in cohort.targets()}
    for target in targets:
        known = before.get(target.name)
        facts = (target.kind, target.unit, target.rule)
        if known is not None and (known.kind, known.unit, known.rule) != facts:
            raise ConfigError(
                f"target '{target.name}': the cohort has it as {known.kind} in "
                f"'{known.unit or known.rule}'; `ptacl targets remove COHORT {target.name}` first, "
                "or take another name"
            )


def _publish(
    cohort_dir: Path,
    targets: Sequence[Target],
    values: Mapping[tuple[str, int, str], tuple[float, int | None]],
) -> None:
    import pyarrow as pa

    places = sorted(values)
    with Cohort.write(cohort_dir, purpose="targets", waits=True) as writer:
        writer.put_targets(targets)
        if places:
            writer.put_target_values(
                pa.table(
                    {
                        "patient": pa.array([place[0] for place in places]),
                        "visit": pa.array([place[1] for place in places], pa.int32()),
                        "name": pa.array([place[2] for place in places]),
                        "value": pa.array([values[place][0] for place in places], pa.float64()),
                        "days_apart": pa.array([values[place][1] for place in places], pa.int32()),
                    }
                )
            )
        writer.put_audit("targets", names=[target.name for target in targets])
