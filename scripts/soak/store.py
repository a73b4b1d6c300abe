"""Long attempts at the reliability goals of the cohort store, as often as asked.

`scripts/checks/store_goals.py --length long` runs them. They drive the same attempts as the tests
under tests/unit/cohort. The duckdb that this interpreter imports is the one tried.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pyarrow as pa

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.health import self_test
from ptacl_core.cohort.health.verification import verify_cohort
from ptacl_core.errors import CohortError, PtaclError

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
PATIENCE_S = 120.0
"""Deadline of statements that must be answered or refused, not stopped: the machine may be busy."""
Count = tuple[int, int]
"""Attempts that held, attempts made."""


def load(path: str) -> ModuleType:
    """A module of the tests, whose attempts are driven here."""
    name = f"soak_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, TESTS / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def make_cohort(folder: Path) -> Path:
    """The tests' cohort: 60 people with everything a store holds."""
    path = folder / "cohort"
    Cohort.create(path, name="soak", source="simulated", preprocessing_hash="abc123").close()
    load("unit/cohort/conftest.py").fill(path)
    (path / "shards" / "part-00000").mkdir(mode=0o700)
    return path


def kill_writers(folder: Path, count: int) -> Count:
    module = load("unit/cohort/test_store_faults.py")
    held = 0
    for first in range(0, count, 20):  # the store grows with every batch: begin anew
        num_kills = min(20, count - first)
        path = make_cohort(folder)
        module._kill_writers(path, num_kills=num_kills, seed=first)
        held += num_kills
        shutil.rmtree(path)
    return held, count


def damage_stores(folder: Path, count: int) -> Count:
    path = make_cohort(folder)
    counts = load("unit/cohort/test_store_faults.py")._open_damaged(path, num_files=count, seed=9)
    return counts["refused"] + counts["right"], sum(counts.values())


def fill_disk(folder: Path, count: int) -> Count:
    """A real small disk, filled to the last block, at five places of writing."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], check=True)
    try:
        path = Path(shutil.copytree(make_cohort(folder), disk / "cohort"))
        with Cohort.open(path) as cohort:
            cohort.notes.add_note("sim-000001", "before")
        filler = disk / "filler"
        places: list[Callable[[Path], object]] = [
            _write_people, _write_vectors, _write_checkpoint, _write_export, _write_notes
        ]  # fmt: skip
        return sum(_is_full_disk_named(path, filler, write) for write in places[:count]), min(
            count, 5
        )
    finally:
        subprocess.run(["umount", str(disk)], check=False)


def _is_full_disk_named(path: Path, filler: Path, write: Callable[[Path], object]) -> bool:
    before = (path / "cohort.duckdb").read_bytes()
    with filler.open("wb") as stream:
        try:
            while True:
                stream.write(bytes(65536))
        except OSError:
            pass
    try:
        write(path)
    except PtaclError as error:
        is_named = "Traceback" not in str(error) and len(str(error)) > 20
    else:
        is_named = False
    finally:
        filler.unlink()
    is_intact = (path / "cohort.duckdb").read_bytes() == before
    with Cohort.open(path) as cohort:
        is_intact = is_intact and cohort.count() == 65 and len(cohort.notes.notes()) >= 1
    return is_named and is_intact and verify_cohort(path, repair=True).is_whole


def _write_people(path: Path) -> None:
    with Cohort.write(path, purpose="full") as writer:
        writer.put_patients(pa.table({"patient": [f"new-{row}" for row in range(50_000)]}))


def _write_vectors(path: Path) -> None:
    with Cohort.write(path, purpose="full") as writer:
        names = [f"new-{row}" for row in range(20_000)]
        vectors = np.random.default_rng(0).standard_normal((20_000, 24)).astype(np.float32)
        writer.put_embeddings("align-1", "ecg", "projected", names, [0] * 20_000, vectors)


def _write_checkpoint(path: Path) -> None:
    import torch

    from ptacl_core.checkpoint import CheckpointDocument, save_checkpoint
    from ptacl_core.config.preprocess import PreprocessSettings
    from ptacl_core.config.run_presets import load_run_settings

    preprocessing = PreprocessSettings()
    document = CheckpointDocument(
        stage="align",
        step=1,
        settings=load_run_settings("tiny"),
        preprocessing=preprocessing,
        preprocessing_hash=preprocessing.hash(),
        files={},
    )
    weights = {"weights.safetensors": {"w": torch.zeros(2_000_000)}}
    save_checkpoint(path / "runs" / "r" / "checkpoints" / "align" / "final", document, weights)


def _write_export(path: Path) -> None:
    with Cohort.open(path) as cohort:
        cohort.export("SELECT * FROM range(2000000)", name="big", max_rows=2_000_000)


def _write_notes(path: Path) -> None:
    with Cohort.open(path) as cohort:
        for _ in range(40):
            cohort.notes.add_note("sim-000001", os.urandom(150_000).hex())


def hold_locks(folder: Path, count: int) -> Count:
    path = folder / "cohort"
    self_test._make_cohort(path)
    held = [is_held for _ in range(count) for is_held in self_test._kill_writer(path)]
    return sum(held), len(held)


def publish(folder: Path, count: int) -> Count:
    path = make_cohort(folder)
    load("unit/cohort/test_store_faults.py")._publish_under_readers(path, num_publishes=count)
    return count, count


def refuse_escapes(folder: Path, count: int) -> Count:
    module = load("unit/cohort/test_store_sql_escapes.py")
    secrets = folder / "secrets"
    secrets.mkdir()
    module.plant_secrets(secrets)
    attempts = module.ATTEMPTS[:count]
    held = 0
    with Cohort.open(make_cohort(folder)) as cohort:
        before = module._state(cohort, secrets)
        for attempt in attempts:
            statement = attempt.replace("{dir}", str(secrets))
            statement = statement.replace("{store}", str(cohort.layout.store))
            try:
                cohort.run_statement(statement, max_rows=10, deadline_s=PATIENCE_S)
            except CohortError as error:
                held += module.SECRET not in str(error) and "stopped after" not in str(error)
        assert module._state(cohort, secrets) == before, "an attempt changed a file"
        assert cohort.run_statement("SELECT 42", max_rows=1).rows == ((42,),)
        # the positive control: on a default connection they succeed
        control = folder / "control"
        control.mkdir()
        module.test_the_same_attempts_succeed_on_a_default_connection(cohort, secrets, control)
    return held, len(attempts)


def refuse_routes(folder: Path, count: int) -> Count:
    """Hidden tables, settings, files and sessions, by every place where a table may stand."""
    module = load("unit/cohort/hidden_routes.py")
    attempts = module.list_routes()[:count]
    held = 0
    path = make_cohort(folder)
    with Cohort.open(path) as cohort:
        for statement in attempts:
            try:
                cohort.run_statement(statement, max_rows=10, deadline_s=PATIENCE_S)
            except CohortError as error:
                held += "stopped after" not in str(error)
            else:
                print(f"answered: {statement}", flush=True)
        assert cohort.run_statement("SELECT 42", max_rows=1).rows == ((42,),)
        sample = attempts[::9]
        num_answered = module.count_answered(str(cohort.layout.store), sample)
        assert num_answered * 2 >= len(sample), f"{num_answered} of {len(sample)}"
    return held, len(attempts)


def end_bombs(folder: Path, count: int) -> Count:
    module = load("unit/cohort/test_store_sql_limits.py")
    with Cohort.open(make_cohort(folder)) as cohort:
        seconds = [module._run_bomb(cohort, bomb) for bomb in module.BOMBS[:count]]
        assert cohort.run_statement("SELECT 42", max_rows=1).rows == ((42,),)
    return sum(duration_s <= 6 for duration_s in seconds), len(seconds)


def fuzz_console(folder: Path, count: int) -> Count:
    module = load("unit/cohort/test_store_sql_limits.py")
    with Cohort.open(make_cohort(folder)) as cohort:
        cohort.run_statement("SELECT 1", max_rows=1)
        num_deaths = module._fuzz(cohort, count, seed=5)
    return count - num_deaths, count


def call_functions(folder: Path, count: int) -> Count:
    module = load("unit/cohort/test_store_sql_limits.py")
    with Cohort.open(make_cohort(folder)) as cohort:
        num_calls = module._call_functions(cohort, per_function=count, seed=7)
    return num_calls, num_calls


def allow_questions(folder: Path, count: int) -> Count:
    module = load("unit/cohort/test_store_sql_limits.py")
    held = 0
    with Cohort.open(make_cohort(folder)) as cohort:
        for statement in module.ALLOWED[:count]:
            held += not self_test._is_refused(
                lambda statement=statement: cohort.run_statement(
                    statement, max_rows=10, deadline_s=PATIENCE_S
                )
            )
    return held, len(module.ALLOWED[:count])


def damage_indexes(folder: Path, count: int) -> Count:
    module = load("unit/cohort/test_store_neighbours.py")
    path = module.make_clustered(folder / "clustered")
    module._search_damaged(path, num_files=count, seed=11)
    return count, count


def kill_index_builders(folder: Path, count: int) -> Count:
    module = load("unit/cohort/test_store_neighbours.py")
    path = module.make_clustered(folder / "clustered")
    module.kill_index_builders(path, num_kills=count, seed=13)
    return count, count


def search_exactly(folder: Path, count: int) -> Count:
    path = folder / "cohort"
    self_test._make_cohort(path)
    held = [is_held for _ in range(count) for is_held in self_test._search_exactly(path)]
    return sum(held), len(held)


def kill_erasures(folder: Path, count: int) -> Count:
    module = load("unit/cohort/test_store_erasure.py")
    held = 0
    for first in range(0, count, 20):
        path = make_cohort(folder)
        shutil.rmtree(path / "shards")
        module._plant(path)
        num_people = min(20, count - first)
        module.kill_erasures(path, num_people=num_people, seed=first)
        held += num_people
        shutil.rmtree(path)
    return held, count


def work_together(folder: Path, count: int) -> Count:
    module = load("pipeline/custody/test_store_processes.py")
    module._run_together(folder / "cohort", num_readers=8, seconds=count)
    return count, count


ATTEMPTS: dict[str, tuple[str, Callable[[Path, int], Count], int]] = {
    "R1": ("kill -9 during store writes: nothing lost, none partial", kill_writers, 200),
    "R2": ("damaged stores: refused in words, or right", damage_stores, 500),
    "R3": ("full disk at five places: named, earlier data intact", fill_disk, 5),
    "R4": ("second writer refused by name; lock gone after kill -9", hold_locks, 4),
    "R5": ("publishes under open readers without an error", publish, 100),
    "R6": ("SQL escapes refused", refuse_escapes, 1000),
    "R6h": ("hidden tables, settings and files refused by every route", refuse_routes, 10_000),
    "R7": ("query bombs ended within 6 s", end_bombs, 1000),
    "R8": ("SQL fuzz through the console: no crash, no leak", fuzz_console, 100_000),
    "R9": ("engine functions with hostile arguments: no death", call_functions, 100),
    "R10": ("ordinary questions answered", allow_questions, 1000),
    "R11": ("damaged index files: no crash, no wrong answer", damage_indexes, 500),
    "R13": ("exact neighbours are the brute-force order, every time", search_exactly, 10),
    "R32": ("kill -9 during erasures: finished by the next, no byte left", kill_erasures, 100),
    "R1i": ("kill -9 while an index is built: search right, verify clean", kill_index_builders, 50),
    "2+8": ("seconds of two writers beside eight readers without an error", work_together, 60),
}  # fmt: skip
"""Goal to what it says, the attempts at it, and how many make the full count."""
