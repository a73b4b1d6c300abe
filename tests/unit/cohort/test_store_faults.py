"""R1-R5, R37: death of writers, damaged files, full disks, several processes at once."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.health.verification import verify_cohort
from ptacl_core.errors import CohortError, CohortLockedError, CohortVersionError

_BATCH = 50


_PROCESSES: list["subprocess.Popen[str]"] = []


@pytest.fixture(autouse=True)
def _end_processes() -> Iterator[None]:
    yield
    while _PROCESSES:
        with _PROCESSES.pop() as process:
            process.kill()


def _start(code: str, *arguments: object) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-P", "-u", "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    _PROCESSES.append(process)
    return process


def _read_acknowledged(process: "subprocess.Popen[str]") -> list[int]:
    output, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors, errors
    return [int(line) for line in output.split()]


_WRITE_FOREVER = """
    import sys
    import numpy as np, pyarrow as pa
    from ptacl_core.cohort import Cohort
    path, first, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for batch in range(first, first + 1000):
        with Cohort.write(path, purpose="batch") as writer:
            names = [f"batch-{batch:05d}-{row:03d}" for row in range(size)]
            writer.put_patients(pa.table({"patient": names, "age_years": [float(batch)] * size}))
            vectors = np.full((size, 24), batch + 1, np.float32)
            writer.put_embeddings("align-1", "ecg", "projected", names, [0] * size, vectors)
        print(batch)
"""


def _kill_writers(path: Path, *, num_kills: int, seed: int) -> None:
    generator = random.Random(seed)
    acknowledged: list[int] = []
    for _ in range(num_kills):
        first = max(acknowledged, default=-1) + 2
        process = _start(_WRITE_FOREVER, path, first, _BATCH)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        acknowledged.append(int(line))
        time.sleep(generator.uniform(0, 0.6))
        process.kill()
        acknowledged.extend(_read_acknowledged(process))
        with Cohort.open(path) as cohort:
            rows = cohort.fetch(
                "SELECT age_years::INTEGER, count(*) FROM patients "
                "WHERE patient LIKE 'batch-%' GROUP BY ALL"
            )
        num_people = dict(rows)
        assert set(acknowledged) <= set(num_people), "an acknowledged batch is lost"
        assert set(num_people.values()) == {_BATCH}, "a batch is there in part"
        verification = verify_cohort(path, repair=True)
        assert verification.is_whole, verification.defects


def test_killed_writers_lose_nothing_and_leave_nothing_in_part(cohort_path: Path) -> None:
    shutil.rmtree(cohort_path / "shards")
    _make_shard(cohort_path)
    _kill_writers(cohort_path, num_kills=3, seed=1)


@pytest.mark.slow
def test_many_killed_writers_lose_nothing(cohort_path: Path) -> None:
    _make_shard(cohort_path)
    _kill_writers(cohort_path, num_kills=60, seed=2)  # 200: scripts/checks/store_goals.py


def _make_shard(path: Path) -> None:
    """The folder that the rows of the table shards point to."""
    (path / "shards" / "part-00000").mkdir(parents=True, exist_ok=True)
    for folder in (path / "shards", path / "shards" / "part-00000"):
        folder.chmod(0o700)


def test_a_second_writer_is_refused_by_name_until_the_first_is_dead(cohort_path: Path) -> None:
    code = """
        import sys, time
        from ptacl_core.cohort import Cohort
        with Cohort.write(sys.argv[1], purpose="embed") as writer:
            print(1)
            time.sleep(60)
    """
    process = _start(code, cohort_path)
    assert process.stdout is not None
    process.stdout.readline()
    with (
        pytest.raises(CohortLockedError, match=rf"process {process.pid}, embed"),
        Cohort.write(cohort_path, purpose="second"),
    ):
        pass
    with Cohort.open(cohort_path) as cohort:  # readers do not mind
        assert cohort.count() == 65
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    with Cohort.write(cohort_path, purpose="second") as writer:
        writer.put_patients(pa.table({"patient": ["after"]}))


def test_a_reader_keeps_its_version_while_others_publish(cohort_path: Path) -> None:
    with Cohort.open(cohort_path) as reader:
        reader.run_statement("SELECT 1", max_rows=1)
        for number in range(5):
            with Cohort.write(cohort_path, purpose="publish") as writer:
                writer.put_patients(pa.table({"patient": [f"new-{number}"]}))
            assert reader.is_stale()
            assert reader.count() == 65 + number
            in_console = reader.run_statement("SELECT count(*) FROM patients", max_rows=1)
            assert in_console.rows == ((60 + number,),)
            reader.reopen()
            assert not reader.is_stale()
            assert reader.count() == 66 + number
        with Cohort.open(cohort_path) as second:
            assert (second.version, second.count()) == (reader.version, reader.count())


def _publish_under_readers(path: Path, *, num_publishes: int) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from ptacl_core.cohort import Cohort
        path, stop = Path(sys.argv[1]), Path(sys.argv[2])
        count = 0
        cohort = Cohort.open(path)
        cohort.neighbours("sim-000001", k=3)
        print("ready")
        while not stop.exists():
            names = {row["patient"] for row in cohort.patients()}
            assert "sim-000001" in names
            assert len(cohort.neighbours("sim-000001", k=3)) == 3
            if cohort.is_stale():
                cohort.reopen()
                count += 1
            with Cohort.open(path) as other:
                assert other.count() >= 65
        print(count)
    """
    stop = path.parent / "stop"
    readers = [_start(code, path, stop) for _ in range(2)]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
    for number in range(num_publishes):
        with Cohort.write(path, purpose="publish") as writer:
            writer.put_patients(pa.table({"patient": [f"new-{number:04d}"]}))
    stop.touch()
    for reader in readers:
        output, errors = reader.communicate(timeout=60)
        assert reader.returncode == 0, errors
        assert int(output) >= 1
    with Cohort.open(path) as cohort:
        assert cohort.version == 2 + num_publishes
        assert cohort.count("patient LIKE 'new-%'") == num_publishes


def test_readers_meet_no_error_while_a_writer_publishes(cohort_path: Path) -> None:
    _publish_under_readers(cohort_path, num_publishes=10)


@pytest.mark.slow
def test_readers_meet_no_error_in_a_hundred_publishes(cohort_path: Path) -> None:
    _publish_under_readers(cohort_path, num_publishes=100)


_OPEN_DAMAGED = """
    import json, random, shutil, sys
    from pathlib import Path
    from ptacl_core.cohort import Cohort
    from ptacl_core.cohort.publication import Publication, write_manifest
    from ptacl_core.cohort.layout import CohortLayout
    from ptacl_core.errors import CohortError

    path, num_files, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    layout = CohortLayout(path)
    whole = layout.store.read_bytes()
    manifest = layout.manifest.read_bytes()
    generator = random.Random(seed)

    def read(cohort):
        vectors = [
            cohort.embeddings("align-1", modality, space).vectors.tobytes()
            for modality in ("ecg", "cmr") for space in ("projected", "pooled")
        ]
        return (
            cohort.patients(), cohort.recordings("sim-000003"), cohort.predictions("sim-000003"),
            cohort.phenotypes("sim-000003"), cohort.evaluation("align-1"), vectors,
            [run.run for run in cohort.runs()],
        )

    with Cohort.open(path) as cohort:
        expected = read(cohort)

    def damage(kind):
        data = bytearray(whole)
        if kind == 0:
            for _ in range(generator.randint(1, 8)):
                data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        elif kind == 1:
            start = generator.randrange(len(data))
            stop = min(len(data), start + generator.choice((16, 4096, 262144)))
            data[start:stop] = bytes(stop - start)
        elif kind == 2:
            del data[generator.randrange(len(data)):]
        elif kind == 3:
            data = bytearray(generator.randbytes(len(data)))
        elif kind == 4:
            data[generator.randrange(12288)] ^= 1 << generator.randrange(8)
        return bytes(data)

    counts = {"refused": 0, "right": 0, "wrong": 0}
    for number in range(num_files):
        data = damage(number % 5)
        layout.store.write_bytes(data)
        layout.manifest.write_bytes(manifest)
        if number % 2:  # a manifest that agrees with the damage: the engine must notice
            write_manifest(layout, (Publication.of(layout.store, version=2),))
        try:
            with Cohort.open(path) as cohort:
                got = read(cohort)
        except CohortError:
            counts["refused"] += 1
        else:
            counts["right" if got == expected else "wrong"] += 1
        print(json.dumps(counts))
"""


def _open_damaged(path: Path, *, num_files: int, seed: int) -> dict[str, int]:
    process = _start(_OPEN_DAMAGED, path, num_files, seed)
    output, errors = process.communicate(timeout=1200)
    assert process.returncode == 0, f"after {output[-200:]}: {errors}"
    return json.loads(output.splitlines()[-1])


def test_a_damaged_store_is_refused_in_words_or_right(cohort_path: Path) -> None:
    counts = _open_damaged(cohort_path, num_files=60, seed=3)
    assert counts["wrong"] == 0
    assert counts["refused"] >= 30


@pytest.mark.slow
def test_many_damaged_stores_are_refused_in_words_or_right(cohort_path: Path) -> None:
    counts = _open_damaged(cohort_path, num_files=500, seed=4)
    assert counts["wrong"] == 0


def test_foreign_and_missing_files_in_every_role_are_named(cohort_path: Path) -> None:
    layout_files = ("cohort.toml", "manifest.json", "cohort.duckdb")
    for name in layout_files:
        file = cohort_path / name
        whole = file.read_bytes()
        for data in (None, b"", b"not what it should be", b"\x00" * 5000, b"{}", b"PK\x03\x04"):
            if data is None:
                file.unlink()
            else:
                file.write_bytes(data)
            with pytest.raises(CohortError) as caught:
                Cohort.open(cohort_path)
            assert name in str(caught.value)
            file.write_bytes(whole)
    with Cohort.open(cohort_path) as cohort:
        assert cohort.count() == 65
    with pytest.raises(CohortError, match=r"cohort\.toml"):
        Cohort.open(cohort_path.parent / "nowhere")


def test_a_newer_cohort_or_store_is_refused_by_version(cohort_path: Path) -> None:
    file = cohort_path / "cohort.toml"
    text = file.read_text()
    file.write_text(text.replace("version = 1", "version = 99"))
    with pytest.raises(CohortVersionError, match="99"):
        Cohort.open(cohort_path)
    file.write_text(text)
    with Cohort.write(cohort_path, purpose="future") as writer:
        writer._connection.execute("INSERT INTO schema_version VALUES (98, 'future', now())")
    with pytest.raises(CohortVersionError, match="98"):
        Cohort.open(cohort_path)
    with (
        pytest.raises(CohortVersionError, match="98"),
        Cohort.write(cohort_path, purpose="past"),
    ):
        pass


def test_a_stray_log_beside_the_store_is_not_replayed(cohort_path: Path) -> None:
    log = cohort_path / "cohort.duckdb.wal"
    log.write_bytes(b"\x00" * 100)
    with pytest.raises(CohortError, match="write-ahead log"):
        Cohort.open(cohort_path)
    with (
        pytest.raises(CohortError, match="write-ahead log"),
        Cohort.write(cohort_path, purpose="x"),
    ):
        pass
    log.unlink()
    with Cohort.open(cohort_path) as cohort:
        assert cohort.count() == 65


def test_a_full_disk_is_named_and_the_published_store_stays(cohort_path: Path) -> None:
    code = """
        import resource, sys
        import numpy as np, pyarrow as pa
        from ptacl_core.cohort import Cohort
        from ptacl_core.errors import CohortError
        path, kind, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
        import duckdb, pyarrow
        cohort = Cohort.open(path)
        cohort.run_statement("SELECT 1", max_rows=1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            if kind == "store":
                with Cohort.write(path, purpose="embed") as writer:
                    names = [f"p{row:06d}" for row in range(20_000)]
                    vectors = np.ones((20_000, 64), np.float32)
                    writer.put_embeddings("align-1", "ecg", "projected", names, [0] * 20_000,
                                          vectors[:, :24].copy())
            elif kind == "export":
                cohort.export("SELECT * FROM range(1000000)", name="big")
            elif kind == "note":
                import os
                for _ in range(40):
                    cohort.notes.add_note("sim-000001", os.urandom(150_000).hex())
        except CohortError as error:
            print(error)
        else:
            print("no error")
    """
    store = cohort_path / "cohort.duckdb"
    before = store.read_bytes()
    size = len(before)
    for kind, limit in (("store", size - 4096), ("store", size + 300_000), ("export", 100_000)):
        process = _start(code, cohort_path, kind, limit)
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert "no error" not in output, kind
        assert output.strip(), kind
    process = _start(code, cohort_path, "note", 2_000_000)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "no error" not in output
    assert store.read_bytes() == before
    assert not [file for file in cohort_path.iterdir() if ".private" in file.name]
    assert not (cohort_path / "exports" / "big.csv").exists()
    with Cohort.open(cohort_path) as cohort:
        assert cohort.count() == 65
        cohort.notes.add_note("sim-000001", "still works")


def test_everything_is_for_its_owner_alone(cohort_path: Path) -> None:
    with Cohort.open(cohort_path) as cohort:
        cohort.export("SELECT 1 AS one", name="one")
        cohort.notes.add_tag("sim-000001", "check")
        cohort.sql("SELECT 1")
        if find_spec("hnswlib") is not None:
            cohort.build_index("align-1", "cmr")
    with Cohort.write(cohort_path, purpose="again") as writer:
        writer.put_patients(pa.table({"patient": ["x"]}))
    keys = Path(os.environ["PTACL_KEYS"])
    paths = [cohort_path, *cohort_path.rglob("*"), keys, *keys.rglob("*")]
    open_to_others = [path for path in paths if path.stat().st_mode & 0o077]
    assert open_to_others == []


def test_closing_ends_what_another_thread_reads(cohort):
    """An app that is told to end while it loads: no traceback, and no wait for the statement."""
    endless = "SELECT count(*) FROM range(1000000000) t(a), range(1000) u(b) WHERE a % 7 = b"
    has_begun, outcomes = threading.Event(), []

    def read() -> None:
        cohort.opened.fetch("SELECT 1")
        has_begun.set()
        try:
            cohort.opened.fetch(endless)
        except CohortError as error:
            outcomes.append(str(error))

    reading = threading.Thread(target=read)
    reading.start()
    has_begun.wait()
    cohort.close()
    reading.join()
    assert len(outcomes) == 1
    assert "was closed while it was read" in outcomes[0]
