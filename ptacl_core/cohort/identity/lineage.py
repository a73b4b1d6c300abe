# ruff: noqa: S608 - names in statements are those of this file
"""`lineage.duckdb`: who was in which stage of which run, as keyed hashes, written at its start.

A training is recorded before its first step, so that an erasure knows of it whatever happens
afterwards: more people come in, splits are assigned anew, the run is embedded late or never. The
file is rewritten whole at every change: removed rows leave no bytes. Runs of before lineage was
kept, and trainings on machines without the cohort's key, are told apart as unknown.
"""

import hmac
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptacl_core.cohort.engine import (
    connect_reader,
    connect_writer,
    descriptor_path,
    execute,
    quote_text,
    readable_errors,
)
from ptacl_core.cohort.identity.keys import CohortKey
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.errors import CohortError, CohortLockedError
from ptacl_core.safety.files.atomic import atomic_path
from ptacl_core.safety.files.lock import hold_lock

if TYPE_CHECKING:
    import duckdb

FILE_NAME = "lineage.duckdb"
_LOCK_NAME = ".lineage.lock"
_HASH_BYTES = 16
_WAIT_S = 60.0

_TABLES: Mapping[str, str] = {
    "stages": "run VARCHAR NOT NULL, stage VARCHAR NOT NULL, started_at TIMESTAMP NOT NULL, "
    "is_known BOOLEAN NOT NULL, num_people BIGINT NOT NULL, data_sha256 VARCHAR, "
    "weights_sha256 VARCHAR",
    "members": "run VARCHAR NOT NULL, stage VARCHAR NOT NULL, person BLOB NOT NULL",
    "parents": "run VARCHAR NOT NULL, stage VARCHAR NOT NULL, parent VARCHAR NOT NULL",
    "files": "run VARCHAR NOT NULL, part VARCHAR NOT NULL, sha256 VARCHAR NOT NULL, "
    "recorded_at TIMESTAMP NOT NULL",
    "withdrawals": "run VARCHAR NOT NULL, num_people BIGINT NOT NULL, "
    "is_certain BOOLEAN NOT NULL, erased_at TIMESTAMP NOT NULL",
}


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


def lineage_file(layout: CohortLayout) -> Path:
    """Where the lineage of a cohort lies."""
    return layout.root / FILE_NAME


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

    _change(layout, change)


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

    _change(layout, change)


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

    _change(layout, change)


def read_files(layout: CohortLayout) -> dict[str, dict[str, frozenset[str]]]:
    """Hashes that the parts of each run's files may have, by run and part. Raises CohortError.

    Empty of cohorts whose lineage was last written before files were recorded.
    """
    known: dict[str, dict[str, frozenset[str]]] = {}
    tables = "SELECT table_name FROM information_schema.tables WHERE table_name = 'files'"
    if not _read(layout, tables):
        return known
    for run, part, sha256 in _read(layout, "SELECT run, part, sha256 FROM files"):
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
        for row in _read(
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
        rows = _read(
            layout,
            "SELECT DISTINCT run FROM members WHERE list_contains(?::BLOB[], person)",
            [members],
        )
        trained = {str(row[0]) for row in rows}
    parents = _read(layout, "SELECT DISTINCT run, parent FROM parents")
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
        _change(layout, change)


def read_marks(layout: CohortLayout) -> dict[str, MarkedRun]:
    """Runs that were trained with people erased since, by name. Raises CohortError."""
    rows = _read(
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


def _read(
    layout: CohortLayout, query: str, parameters: Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    file = lineage_file(layout)
    try:
        stream = file.open("rb")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CohortError(
            f"{file}: cannot be read ({error.strerror}); it is open to the cohort's owner alone"
        ) from None
    with stream:
        connection = connect_reader(descriptor_path(stream.fileno()), label=file)
        try:
            with readable_errors(file):
                return execute(connection, query, parameters)
        finally:
            connection.close()


def _change(layout: CohortLayout, change: Callable[["duckdb.DuckDBPyConnection"], None]) -> None:
    """Write the file anew with a change applied, one process at a time."""
    from ptacl_core.cohort.notes.notebook import note_file

    file = lineage_file(layout)
    is_new = not file.exists()
    with _hold_in_turn(layout):
        try:
            with atomic_path(file, mode=0o600) as temporary:
                temporary.unlink()
                connection = connect_writer(temporary)
                try:
                    with readable_errors(file):
                        _copy(connection, file)
                        change(connection)
                        execute(connection, "CHECKPOINT")
                finally:
                    connection.close()
                _rewrite_without_holes(temporary)
        except OSError as error:
            raise CohortError(
                f"{file}: could not be written ({error.strerror or error}); free some space, then "
                "run the same command again"
            ) from None
    if is_new and layout.description.exists():
        note_file(layout, "lineage")


def _copy(connection: "duckdb.DuckDBPyConnection", source: Path) -> None:
    for table, columns in _TABLES.items():
        execute(connection, f"CREATE TABLE {table} ({columns})")
    if source.exists():
        execute(connection, f"ATTACH {quote_text(str(source))} AS old (READ_ONLY)")
        rows = execute(
            connection,
            "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'old'",
        )
        for table in {str(row[0]) for row in rows} & _TABLES.keys():
            execute(connection, f"INSERT INTO {table} SELECT * FROM old.{table}")
        execute(connection, "DETACH old")


def _rewrite_without_holes(file: Path) -> None:
    """Copy once more, so that rows deleted by a change leave no bytes in free blocks."""
    first = file.with_name(file.name + ".first")
    file.rename(first)
    try:
        connection = connect_writer(file)
        try:
            with readable_errors(file):
                _copy(connection, first)
                execute(connection, "CHECKPOINT")
        finally:
            connection.close()
    finally:
        first.unlink(missing_ok=True)


@contextmanager
def _hold_in_turn(layout: CohortLayout) -> Iterator[None]:
    deadline = time.monotonic() + _WAIT_S
    while True:
        lock = hold_lock(layout.root / _LOCK_NAME, purpose="lineage")
        try:
            lock.__enter__()
        except CohortLockedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
            continue
        try:
            yield
        finally:
            lock.__exit__(None, None, None)
        return


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
