"""R6: statements of people reach the store's rows and nothing else."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.engine import connect_reader
from ptacl_core.errors import CohortError, QueryError

ATTEMPTS = [
    line
    for line in Path(__file__)
    .with_name("escape_attempts.sql")
    .read_text(encoding="utf-8")
    .splitlines()
    if line and not line.startswith(("#", "--"))
]
SECRET = "TOP-SECRET-PAYLOAD"


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    plant_secrets(folder)
    return folder


def plant_secrets(folder: Path) -> None:
    """Files that no statement may show."""
    folder.joinpath("secret.csv").write_text(f"a,b\n1,{SECRET}\n")
    folder.joinpath("secret.txt").write_text(SECRET)
    folder.joinpath("secret.json").write_text(f'{{"a": "{SECRET}"}}\n')
    secret = duckdb.sql(f"SELECT '{SECRET}' AS a")
    assert secret is not None
    secret.write_parquet(str(folder / "secret.parquet"))


@pytest.fixture(scope="module")
def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cohort]:
    import shutil

    path = Path(shutil.copytree(template, tmp_path_factory.mktemp("escapes") / "cohort"))
    with Cohort.open(path) as cohort:
        yield cohort


def _state(cohort: Cohort, secrets: Path) -> tuple[object, ...]:
    store = cohort.layout.store
    return (
        hashlib.sha256(store.read_bytes()).hexdigest(),
        sorted(file.name for file in secrets.iterdir()),
        sorted(file.name for file in cohort.path.iterdir() if "notes" not in file.name),
    )


def test_there_are_enough_attempts() -> None:
    assert len(set(ATTEMPTS)) >= 165


def test_every_attempt_is_refused_and_changes_nothing(shared: Cohort, secrets: Path) -> None:
    shared.run_statement("SELECT 1", max_rows=1)
    before = _state(shared, secrets)
    passed = []
    for attempt in ATTEMPTS:
        statement = attempt.replace("{dir}", str(secrets)).replace(
            "{store}", str(shared.layout.store)
        )
        try:
            result = shared.run_statement(statement, max_rows=10)
        except CohortError as error:
            assert SECRET not in str(error)
        else:
            passed.append((attempt, result.rows))
    assert passed == []
    assert _state(shared, secrets) == before
    assert shared.run_statement("SELECT count(*) FROM patients", max_rows=1).rows == ((60,),)


def test_the_same_attempts_succeed_on_a_default_connection(
    shared: Cohort, secrets: Path, tmp_path: Path
) -> None:
    """The positive control: the list is no list of syntax errors."""
    import shutil

    copy = tmp_path / "copy.duckdb"
    target = Path(shutil.copytree(secrets, tmp_path / "secrets"))
    num_succeeded = num_leaked = 0
    connection = None
    for attempt in ATTEMPTS:
        if attempt.startswith(("INSTALL", "FORCE INSTALL", "LOAD", "UPDATE EXT")):
            continue  # these would reach for the network
        if "://" in attempt or "/dev/stdin" in attempt:
            continue
        if connection is None:
            shutil.copyfile(shared.layout.store, copy)
            connection = duckdb.connect(str(copy))
        statement = attempt.replace("{dir}", str(target)).replace("{store}", str(copy))
        try:
            executed = connection.execute(statement)
            rows = executed.fetchall() if executed is not None else []
        except (duckdb.Error, RuntimeError, UnicodeDecodeError):
            rows = None
        if rows is not None:
            num_succeeded += 1
            num_leaked += SECRET in str(rows)
        if not attempt.startswith(("SELECT", "FROM", "WITH t")):
            connection.close()  # it may have changed the copy or the session
            connection = None
            copy.with_name(copy.name + ".wal").unlink(missing_ok=True)
    if connection is not None:
        connection.close()
    assert num_succeeded >= 100
    assert num_leaked >= 30


def test_the_engine_alone_reads_no_file_and_writes_none(shared: Cohort, secrets: Path) -> None:
    """The second wall: without our check, the connection still reaches no file."""
    connection = connect_reader(str(shared.layout.store), label=shared.layout.store)
    before = _state(shared, secrets)
    leaks = []
    try:
        for attempt in ATTEMPTS:
            if attempt.startswith(("DETACH", "USE", "BEGIN", "PREPARE")) or "stdin" in attempt:
                continue
            statement = attempt.replace("{dir}", str(secrets)).replace(
                "{store}", str(shared.layout.store)
            )
            try:
                executed = connection.execute(statement)
                rows = executed.fetchall() if executed is not None else []
            except (duckdb.Error, RuntimeError, UnicodeDecodeError):
                continue
            if SECRET in str(rows) or "root:" in str(rows):
                leaks.append(attempt)
    finally:
        connection.close()
    assert leaks == []
    assert _state(shared, secrets) == before


def test_statements_of_impossible_size_and_depth_are_refused(shared: Cohort) -> None:
    for statement in (
        "SELECT " + "1 + " * 20_000 + "1",
        "SELECT " + "NOT " * 4_900 + "true",
        "SELECT '\0'",
        "",
        "   ",
        "-- nothing",
        "/* nothing */",
    ):
        with pytest.raises(CohortError):
            shared.run_statement(statement, max_rows=1)
    nested = "SELECT " + "(" * 5_000 + "1" + ")" * 5_000
    try:  # DuckDB 1.5 reads through the brackets, 2.0 refuses them
        assert shared.run_statement(nested, max_rows=1).rows == ((1,),)
    except QueryError as error:
        assert "depth" in str(error)
    assert shared.run_statement("SELECT 1", max_rows=1).rows == ((1,),)
