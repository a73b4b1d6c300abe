"""Two processes write and eight read at once: no error reaches anybody, nothing is lost."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pyarrow as pa
import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.health.verification import verify_cohort
from ptacl_core.cohort.notes.readings import reading_log

_WRITER = """
    import sys, time
    import pyarrow as pa
    from ptacl_core.cohort import Cohort
    from ptacl_core.errors import CohortLockedError
    path, name, until = sys.argv[1], sys.argv[2], float(sys.argv[3])
    number = 0
    while time.time() < until or number == 0:
        try:
            with Cohort.write(path, purpose=f"writer {name}") as writer:
                people = [f"{name}-{number:05d}-{row}" for row in range(3)]
                writer.put_patients(pa.table({"patient": people}))
        except CohortLockedError as error:
            assert "process" in str(error)
            time.sleep(0.05)
            continue
        number += 1
    print(number)
"""

_READER = """
    import sys, time
    from ptacl_core.cohort import Cohort
    path, name, until = sys.argv[1], sys.argv[2], float(sys.argv[3])
    reads, largest = 0, 0
    with Cohort.open(path) as cohort:
        while time.time() < until or reads == 0:
            if cohort.is_stale():
                cohort.reopen()
            count = cohort.count()
            assert count >= largest, "a reader went back in time"
            assert count % 3 == 0, "a reader saw half a batch"
            largest = count
            assert len(cohort.patients(limit=3)) == 3
            if name == "0":
                result = cohort.sql("SELECT count(*) FROM overview WHERE patient LIKE 'seed%'")
                assert result.rows == ((300,),)
                cohort.notes.add_note("seed-00000-0", f"read {reads}")
            reads += 1
            time.sleep(0.02)
    print(reads)
"""


def _start(code: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-P", "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def _run_together(path: Path, *, num_readers: int, seconds: float) -> None:
    Cohort.create(path, name="c", source="simulated", preprocessing_hash="x").close()
    with Cohort.write(path, purpose="seed") as writer:
        people = [f"seed-{row // 3:05d}-{row % 3}" for row in range(300)]
        writer.put_patients(pa.table({"patient": people}))
    until = time.time() + seconds
    writers = [_start(_WRITER, path, name, until) for name in ("a", "b")]
    readers = [_start(_READER, path, name, until) for name in range(num_readers)]
    answers = []
    for process in writers + readers:
        output, errors = process.communicate(timeout=seconds + 300)
        assert process.returncode == 0, errors
        answers.append(int(output))
    with Cohort.open(path) as cohort:
        for name, number in zip(("a", "b"), answers[:2], strict=True):
            assert cohort.count(f"patient LIKE '{name}-%'") == 3 * number
        assert len(cohort.notes.notes()) == answers[2]
        log = reading_log(cohort.description.cohort_id)
        assert len(log.read_text().splitlines()) == answers[2]
        assert cohort.notes.find_tampering() == []
    verification = verify_cohort(path)
    assert verification.is_whole, verification.defects


def test_writers_and_readers_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTACL_KEYS", str(tmp_path / "keys"))
    _run_together(tmp_path / "cohort", num_readers=3, seconds=4)


@pytest.mark.slow
def test_two_writers_and_eight_readers_for_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PTACL_KEYS", str(tmp_path / "keys"))
    _run_together(tmp_path / "cohort", num_readers=8, seconds=60)
