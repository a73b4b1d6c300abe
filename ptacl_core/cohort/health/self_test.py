"""The short form of the store's reliability goals, on the user's own machine, with counts."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ptacl_core.cohort.engine import connect_writer, execute
from ptacl_core.cohort.erasure.byte_search import search_directories, text_needles
from ptacl_core.cohort.erasure.erase import ShardErasure
from ptacl_core.cohort.health.verification import verify_cohort
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.cohort.private_folder import KEYS_VARIABLE
from ptacl_core.cohort.rows import SqlRow
from ptacl_core.cohort.search.exact import cosine_similarity
from ptacl_core.cohort.search.vectors import check_vectors
from ptacl_core.cohort.sql.exports import format_csv
from ptacl_core.cohort.store import Cohort
from ptacl_core.errors import CohortError, CohortLockedError
from ptacl_core.progress import SILENT, ProgressSink

_NUM_PATIENTS = 40
_DIM = 16
_NUM_DAMAGED = 30
_RUN = "self-test"
_ESCAPES = (
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM read_blob('{store}')",
    "SELECT * FROM '{file}'",
    "SELECT (SELECT content FROM read_text('{file}'))",
    "WITH t AS (SELECT * FROM read_text('{file}')) SELECT * FROM t",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM query('SELECT 42')",
    "SELECT * FROM duckdb_settings()",
    "SELECT current_setting('threads')",
    "SELECT * FROM information_schema.tables",
    "COPY (SELECT 1) TO '{file}.out'",
    "COPY (SELECT unhex('41') AS b) TO '{store}.wal' (FORMAT blob)",
    "ATTACH '{store}' AS again",
    "CREATE TABLE t (a INTEGER)",
    "INSERT INTO patients (patient) VALUES ('x')",
    "UPDATE patients SET sex = 'x'",
    "DELETE FROM patients",
    "DROP TABLE patients",
    "SET enable_external_access = true",
    "INSTALL httpfs",
    "PRAGMA database_list",
    "SELECT 1; DROP TABLE patients",
)
_BOMBS = (
    "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3",
    "SELECT levenshtein(repeat('ab', 200000), repeat('ba', 200000))",
    "SELECT len(list_sort(range(200000000)))",
)
_FORMULAS = ("=1+1", "+1", "-1+2", "@SUM(A1)", " =1", "＝1", "\t=1", "=cmd|' /C calc'!A0")
_WRITER = (
    "import sys; sys.path.append(sys.argv[1])\n"
    "import pyarrow as pa\n"
    "from ptacl_core.cohort import Cohort\n"
    "with Cohort.write(sys.argv[2], purpose='self-test') as writer:\n"
    "    writer.put_patients(pa.table({'patient': ['half']}))\n"
    "    print('ready', flush=True)\n"
    "    sys.stdin.read()\n"
)


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """One goal: how many of its attempts held."""

    goal: str
    what: str
    num_passed: int
    num_tried: int

    @property
    def is_passed(self) -> bool:
        """True when every attempt held."""
        return self.num_passed == self.num_tried

    def as_dict(self) -> dict[str, str | int | bool]:
        """One entry of the JSON document of `ptacl selftest`."""
        return {**asdict(self), "is_passed": self.is_passed}


def run_self_test(
    progress: ProgressSink = SILENT, *, only: Collection[str] | None = None
) -> list[SelfCheck]:
    """Run the checks of the goals in `only` (None: all) in a temporary cohort.

    The cohort has keys of its own; all checks together take under a minute.
    """
    chosen = [(goal, *GOALS[goal]) for goal in GOALS if only is None or goal in only]
    results = []
    progress.start("self-test", len(chosen), "goals")
    with tempfile.TemporaryDirectory() as folder, _keys_in(Path(folder) / "keys"):
        path = Path(folder) / "cohort"
        _make_cohort(path)
        for goal, what, check in chosen:
            held = check(path)
            results.append(SelfCheck(goal, what, sum(held), len(held)))
            progress.advance("self-test")
    progress.finish("self-test")
    return results


@contextmanager
def _keys_in(folder: Path) -> Iterator[None]:
    before = os.environ.get(KEYS_VARIABLE)
    os.environ[KEYS_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[KEYS_VARIABLE]
        else:
            os.environ[KEYS_VARIABLE] = before


def _make_cohort(path: Path) -> None:
    import pyarrow as pa

    Cohort.create(path, name="self-test", source="simulated", preprocessing_hash="").close()
    names = [f"sim-{row:06d}" for row in range(_NUM_PATIENTS)]
    generator = np.random.default_rng(0)
    with Cohort.write(path, purpose="self-test") as writer:
        writer.put_patients(pa.table({"patient": names}))
        writer.put_run(_RUN, kind="self-test", config={})
        for modality in ("ecg", "cmr"):
            vectors = generator.standard_normal((_NUM_PATIENTS, _DIM)).astype(np.float32)
            visits = [0] * _NUM_PATIENTS
            writer.put_embeddings(_RUN, modality, "projected", names, visits, vectors)


def _is_refused(work: Callable[[], object], kind: type[Exception] = CohortError) -> bool:
    try:
        work()
    except kind:
        return True
    return False


def _kill_writer(path: Path) -> list[bool]:
    root = str(Path(__file__).resolve().parents[3])
    held = []
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-P", "-c", _WRITER, root, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            held.append(_is_refused(lambda: _write_nothing(path), CohortLockedError))
            process.send_signal(signal.SIGKILL)
        with Cohort.open(path) as cohort:
            held.append(cohort.count() == _NUM_PATIENTS)
    held.append(verify_cohort(path, repair=True).is_whole)
    return held


def _write_nothing(path: Path) -> None:
    with Cohort.write(path, purpose="self-test"):
        pass


def _publish_under_reader(path: Path) -> list[bool]:
    held = []
    with Cohort.open(path) as cohort:
        for _ in range(5):
            _write_nothing(path)
            held.append(cohort.is_stale() and cohort.count() == _NUM_PATIENTS)
            cohort.reopen()
            held.append(not cohort.is_stale())
    return held


def _refuse_escapes(path: Path) -> list[bool]:
    secret = path.parent / "secret.txt"
    secret.write_text("secret")
    with Cohort.open(path) as cohort:
        statements = [
            escape.replace("{file}", str(secret)).replace("{store}", str(cohort.layout.store))
            for escape in _ESCAPES
        ]
        held = [
            _is_refused(lambda statement=statement: cohort.run_statement(statement, max_rows=1))
            for statement in statements
        ]
        held.append(cohort.run_statement("SELECT 1", max_rows=1).rows == ((1,),))
    return held


def _end_bombs(path: Path) -> list[bool]:
    with Cohort.open(path) as cohort:
        return [
            _is_refused(
                lambda statement=statement: cohort.run_statement(
                    statement, max_rows=1, deadline_s=1.0
                )
            )
            for statement in _BOMBS
        ]


def _refuse_vectors(path: Path) -> list[bool]:
    del path
    good = np.ones((2, _DIM), np.float32)
    bad: list[object] = [good * np.nan, good * np.inf, good * 0, good.astype(int), good[0], None]
    return [_is_refused(lambda vector=vector: check_vectors(vector, dim=_DIM)) for vector in bad]


def _search_exactly(path: Path) -> list[bool]:
    held = []
    with Cohort.open(path) as cohort:
        queries = cohort.embeddings(_RUN, "ecg")
        candidates = cohort.embeddings(_RUN, "cmr")
        for row in range(10):
            similarity = cosine_similarity(queries.vectors[row], candidates.vectors)
            order = sorted(range(_NUM_PATIENTS), key=lambda index: (-similarity[index], index))
            expected = [candidates.patients[index] for index in order if index != row][:5]
            nearest = cohort.neighbours(queries.patients[row], k=5)
            held.append([neighbour.patient for neighbour in nearest] == expected)
    return held


def _find_tampering(path: Path) -> list[bool]:
    with Cohort.open(path) as cohort:
        for number in range(3):
            cohort.notes.append_audit("query", statement=f"SELECT {number}")
        held = [cohort.notes.find_tampering() == []]
        for change, undo in (
            ("SET action = 'x' WHERE number = 2", "SET action = 'query' WHERE number = 2"),
            ("SET number = 9 WHERE number = 3", "SET number = 3 WHERE number = 9"),
        ):
            for statement in (change, undo):
                connection = connect_writer(cohort.layout.notes)
                execute(connection, f"UPDATE audit_log {statement}")
                connection.close()
                held.append((cohort.notes.find_tampering() == []) == (statement == undo))
    return held


def _export_safely(path: Path) -> list[bool]:
    del path
    lines = [format_csv(["text"], [(text,)]).splitlines()[1] for text in _FORMULAS]
    return [line.lstrip('"').startswith("'") for line in lines]


def _erase(path: Path) -> list[bool]:
    person = "sim-000007"
    with Cohort.open(path) as cohort:
        cohort.notes.add_note(person, "to be erased")
        hits = search_directories([path], text_needles(person)).hits
        certificate = cohort.erase([person], erase_shards=lambda *_: ShardErasure(0))
        gone = search_directories([path], text_needles(person)).hits
        return [bool(hits), certificate.is_complete, not gone, cohort.is_erased(person)]


def _damage(path: Path) -> list[bool]:
    """Cut, flip and overwrite a copy of the store; its rows come back whole, or words do."""
    generator = np.random.default_rng(2)
    layout = CohortLayout(path)
    with Cohort.open(path) as cohort:
        expected = cohort.patients()
    whole = layout.store.read_bytes()
    held = []
    for number in range(_NUM_DAMAGED):
        damaged = bytearray(whole)
        place = int(generator.integers(len(whole) - 4096))
        if number % 3 == 0:
            del damaged[place:]
        elif number % 3 == 1:
            damaged[place] ^= 1 << int(generator.integers(8))
        else:
            damaged[place : place + 4096] = bytes(4096)
        layout.store.write_bytes(damaged)
        held.append(_is_refused(lambda: _expect_rows(path, expected), CohortError))
    layout.store.write_bytes(whole)
    return held


def _expect_rows(path: Path, expected: list[SqlRow]) -> None:
    """Raise CohortError in either good case: the store refused, or it is right."""
    with Cohort.open(path) as cohort:
        if cohort.patients() == expected:
            raise CohortError("right all the same")


def _verify(path: Path) -> list[bool]:
    modes = [file.lstat().st_mode & 0o077 == 0 for file in path.rglob("*")]
    return [verify_cohort(path).is_whole, *modes]


GOALS: dict[str, tuple[str, Callable[[Path], list[bool]]]] = {
    "R1, R4": ("a writer that is killed changes nothing, and is named before", _kill_writer),
    "R5": ("a reader keeps its version while others publish", _publish_under_reader),
    "R6": ("statements that reach beyond the store's rows are refused", _refuse_escapes),
    "R7": ("statements that never end are ended", _end_bombs),
    "R12": ("vectors that cannot be compared are refused", _refuse_vectors),
    "R13": ("neighbours are the brute-force order", _search_exactly),
    "R35": ("tampering with the audit log is found", _find_tampering),
    "R36": ("no exported cell is a formula", _export_safely),
    "R32": ("an erased person leaves no byte", _erase),
    "R2": ("a damaged store is refused in words, or right all the same", _damage),
    "R37": ("the cohort is whole in the end, and its owner's alone", _verify),
}
"""Goal to what it says and its check, in the order in which they are run."""
