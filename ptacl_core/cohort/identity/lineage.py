# ruff: noqa: S608 - names in statements are those of this file
"""`lineage.duckdb`: who was in which stage of which run, as keyed hashes, written at its start.

A training is recorded before its first step, so that an erasure knows of it whatever happens
afterwards: more people come in, splits are assigned anew, the run is embedded late or never.
Runs of before lineage was kept, and trainings on machines without the cohort's key, are told
apart as unknown.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ptacl_core.cohort.engine import (
    execute,
)
from ptacl_core.cohort.identity.keys import CohortKey
from ptacl_core.cohort.identity.lineage_file import change_tables, lineage_file, read_rows
from ptacl_core.cohort.layout import CohortLayout

if TYPE_CHECKING:
    import duckdb

_HASH_BYTES = 16


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One stage of a run as it was recorded; `is_known` False: nobody could be recorded."""

    run: str
    stage: str
    started_at: datetime
    is_known: bool
    num_people: int
    data_sha256: str | None
    weights_sha256: str | None


@dataclass(frozen=True, slots=True)
class RunsOfPeople:
    """Runs that saw some people, and runs of which that is not known."""

    trained: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MarkedRun:
    """A run that was trained with people who were erased later.

    `is_certain` False: it was not recorded who was in it, so they may have been.
    """

    run: str
    num_people: int
    is_certain: bool


def record_stage(
    layout: CohortLayout,
    *,
    key: CohortKey | None,
    run: str,
    stage: str,
    people: Sequence[str],
    data_sha256: str | None,
    parents: Sequence[str] = (),
) -> None:
    """Record who is in a stage that now begins (or begins again); `people` are pseudonyms.

    `parents` are runs whose weights it starts from. Without the `key` the stage is recorded as
    one of which it is not known who is in it. Raises CohortError.
    """
    members = [] if key is None else sorted({hash_member(key, person) for person in people})
    moment = _now()

    def change(connection: "duckdb.DuckDBPyConnection") -> None:
        kept = execute(
            connection,
            "SELECT weights_sha256 FROM stages WHERE run = ? AND stage = ?",
            [run, stage],
        )
        for table in ("stages", "members", "parents"):
            execute(connection, f"DELETE FROM {table} WHERE run = ? AND stage = ?", [run, stage])
        _forget_part(connection, run, log_part(stage))
        execute(
            connection,
            "INSERT INTO stages VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                run,
                stage,
                moment,
                key is not None,
                len(members),
                data_sha256,
                kept[0][0] if kept else None,
            ],
        )
        execute(
            connection,
            "INSERT INTO members SELECT $1, $2, unnest($3::BLOB[])",
            [run, stage, members],
        )
        execute(
            connection,
            "INSERT INTO parents SELECT $1, $2, unnest($3::VARCHAR[])",
            [run, stage, sorted(set(parents) - {run})],
        )

    change_tables(layout, change)


def record_weights(
    layout: CohortLayout, *, run: str, stage: str, weights_sha256: str, log_sha256: str
) -> None:
    """Record the hashes of the weights and the log that a stage ended with. Raises CohortError."""
    moment = _now()

    def change(connection: "duckdb.DuckDBPyConnection") -> None:
        execute(
            connection,
            "UPDATE stages SET weights_sha256 = ? WHERE run = ? AND stage = ?",
            [weights_sha256, run, stage],
        )
        _forget_part(connection, run, log_part(stage))
        execute(
            connection,
            "INSERT INTO files VALUES (?, ?, ?, ?)",
            [run, log_part(stage), log_sha256, moment],
        )

    change_tables(layout, change)


def record_file(layout: CohortLayout, *, run: str, part: str, sha256: str) -> None:
    """Record the hash of a run's file that is about to be written. Raises CohortError.

    The one recorded before stays beside it: a call that is killed before it writes leaves that.
    """
    moment = _now()

    def change(connection: "duckdb.DuckDBPyConnection") -> None:
        execute(
            connection,
            "DELETE FROM files WHERE run = $1 AND part = $2 AND recorded_at < "
            "(SELECT max(recorded_at) FROM files WHERE run = $1 AND part = $2)",
            [run, part],
        )
        execute(connection, "INSERT INTO files VALUES (?, ?, ?, ?)", [run, part, sha256, moment])

    change_tables(layout, change)


def read_files(layout: CohortLayout) -> dict[str, dict[str, frozenset[str]]]:
    """Hashes that the parts of each run's files may have, by run and part. Raises CohortError.

    Empty of cohorts whose lineage was last written before files were recorded.
    """
    known: dict[str, dict[str, frozenset[str]]] = {}
    tables = "SELECT table_name FROM information_schema.tables WHERE table_name = 'files'"
    if not read_rows(layout, tables):
        return known
    for run, part, sha256 in read_rows(layout, "SELECT run, part, sha256 FROM files"):
        hashes = known.setdefault(str(run), {})
        hashes[str(part)] = hashes.get(str(part), frozenset()) | {str(sha256)}
    return known


def log_part(stage: str) -> str:
    """How the lines of a stage in a run's metrics.jsonl are named among its files."""
    return f"metrics.jsonl of {stage}"


def read_stages(layout: CohortLayout) -> list[StageRecord]:
    """Every recorded stage, by run and stage; none without a lineage file. Raises CohortError."""
    return [
        StageRecord(*row)
        for row in read_rows(
            layout,
            "SELECT run, stage, started_at, is_known, num_people, data_sha256, weights_sha256 "
            "FROM stages ORDER BY run, stage",
        )
    ]


def find_runs(
    layout: CohortLayout,
    *,
    key: CohortKey | None,
    people: Sequence[str],
    existing: Mapping[str, Sequence[str]],
) -> RunsOfPeople:
    """Runs that any of `people` (pseudonyms) was in, those that start from such runs included.

    `existing` are the runs that the cohort holds, with their stages: one with a stage that was
    never recorded, or recorded without the key, is unknown unless another stage of it is certain.
    """
    recorded = {(stage.run, stage.stage): stage for stage in read_stages(layout)}
    trained: set[str] = set()
    if key is not None and people:
        members = [hash_member(key, person) for person in people]
        rows = read_rows(
            layout,
            "SELECT DISTINCT run FROM members WHERE list_contains(?::BLOB[], person)",
            [members],
        )
        trained = {str(row[0]) for row in rows}
    parents = read_rows(layout, "SELECT DISTINCT run, parent FROM parents")
    unknown = {
        run
        for run, stages in existing.items()
        for stage in (stages or ("",))
        if (run, stage) not in recorded or not recorded[run, stage].is_known or key is None
    }
    unknown |= {
        training.run for training in recorded.values() if not training.is_known or key is None
    }
    trained = _with_children(trained, parents)
    unknown = _with_children(unknown, parents) - trained
    return RunsOfPeople(tuple(sorted(trained)), tuple(sorted(unknown)))


def forget_people(
    layout: CohortLayout, *, key: CohortKey, people: Sequence[str], runs: RunsOfPeople
) -> None:
    """Take people out of the lineage and mark the runs that were trained with them.

    A second call with the same people changes no count. Raises CohortError.
    """
    members = [hash_member(key, person) for person in people]
    moment = _now()

    def change(connection: "duckdb.DuckDBPyConnection") -> None:
        rows = execute(
            connection,
            "SELECT run, count(DISTINCT person) FROM members "
            "WHERE list_contains(?::BLOB[], person) GROUP BY run",
            [members],
        )
        counts = {str(run): int(count) for run, count in rows}
        known = {row[0] for row in execute(connection, "SELECT run FROM withdrawals")}
        for run in runs.trained:
            if run in counts or run not in known:
                count = counts.get(run, 0) or len(people)
                _mark(connection, run, count, is_certain=True, moment=moment)
        for run in runs.unknown:
            if run not in known:
                _mark(connection, run, len(people), is_certain=False, moment=moment)
        execute(connection, "DELETE FROM members WHERE list_contains(?::BLOB[], person)", [members])

    if lineage_file(layout).exists() or runs.trained or runs.unknown:
        change_tables(layout, change)


def read_marks(layout: CohortLayout) -> dict[str, MarkedRun]:
    """Runs that were trained with people erased since, by name. Raises CohortError."""
    rows = read_rows(
        layout,
        "SELECT run, sum(num_people)::BIGINT, bool_or(is_certain) FROM withdrawals GROUP BY run",
    )
    return {str(row[0]): MarkedRun(str(row[0]), int(row[1]), bool(row[2])) for row in rows}


def hash_member(key: CohortKey, pseudonym: str) -> bytes:
    """The lineage's name of a person: 128 bits of a keyed hash of the pseudonym."""
    return hmac.digest(key.secret, b"lineage\0" + pseudonym.encode(), "sha256")[:_HASH_BYTES]


def _forget_part(connection: "duckdb.DuckDBPyConnection", run: str, part: str) -> None:
    execute(connection, "DELETE FROM files WHERE run = ? AND part = ?", [run, part])


def _mark(
    connection: "duckdb.DuckDBPyConnection",
    run: str,
    num_people: int,
    *,
    is_certain: bool,
    moment: datetime,
) -> None:
    execute(
        connection,
        "INSERT INTO withdrawals VALUES (?, ?, ?, ?)",
        [run, num_people, is_certain, moment],
    )


def _with_children(runs: set[str], parents: Sequence[tuple[Any, ...]]) -> set[str]:
    """`runs` and every run that starts from one of them, at any distance."""
    reached = set(runs)
    while True:
        more = {str(child) for child, parent in parents if parent in reached} - reached
        if not more:
            return reached
        reached |= more


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
