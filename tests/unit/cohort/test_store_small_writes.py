"""A small write leaves a large store as it is; searches map its vectors into memory."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.erasure.erase import ShardErasure
from ptacl_core.cohort.health.verification import verify_cohort
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.cohort.search import embeddings, mapped
from ptacl_core.safety.files.lock import hold_lock

BLOCK_BYTES = 262_144
NUM_PEOPLE = 20_000
NAME = "sim-000003"


def _blocks(path: Path) -> list[bytes]:
    data = CohortLayout(path).store.read_bytes()
    return [data[at : at + BLOCK_BYTES] for at in range(0, len(data), BLOCK_BYTES)]


def test_a_small_write_changes_few_blocks_of_a_large_store(tmp_path: Path) -> None:
    path = tmp_path / "cohort"
    Cohort.create(path, name="x", source="simulated", preprocessing_hash="h").close()
    names = [f"sim-{number:06d}" for number in range(NUM_PEOPLE)]
    generator = np.random.default_rng(0)
    with Cohort.write(path, purpose="people") as writer:
        writer.put_patients(
            pa.table({"patient": names, "age_years": generator.uniform(45, 80, NUM_PEOPLE)})
        )
        writer.put_run("r", kind="align", config={})
        vectors = generator.standard_normal((NUM_PEOPLE, 32)).astype(np.float32)
        writer.put_embeddings("r", "ecg", "projected", names, [0] * NUM_PEOPLE, vectors)
    before = _blocks(path)
    with Cohort.write(path, purpose="small") as writer:
        writer.put_run("another", kind="align", config={"sigma": 0.1})
    after = _blocks(path)
    changed = sum(one != other for one, other in zip(before, after, strict=False))
    assert len(before) > 20
    assert changed + len(after) - len(before) <= 6
    with Cohort.open(path) as cohort:
        assert cohort.count() == NUM_PEOPLE
        assert {run.run for run in cohort.runs()} == {"r", "another"}
    with Cohort.write(path, purpose="person") as writer:
        writer.put_patients(pa.table({"patient": ["sim-new"], "age_years": [50.0]}))
    with Cohort.open(path) as cohort:
        assert cohort.count() == NUM_PEOPLE + 1


@pytest.fixture
def large(cohort_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cohort whose sets count as large."""
    for module in (mapped, embeddings):
        monkeypatch.setattr(module, "MAPPED_FROM_VECTORS", 10)
    return cohort_path


def _ask(path: Path) -> tuple[list[tuple[str, float]], bool]:
    """Neighbours of a patient, and whether the vectors are a file's."""
    with Cohort.open(path) as cohort:
        near = cohort.neighbours(NAME, k=5, direction="ecg-ecg")
        vectors = cohort.embeddings("align-1", "ecg").vectors
        assert not vectors.flags.writeable
        return [
            (neighbour.patient, neighbour.similarity) for neighbour in near
        ], not vectors.flags.owndata


def _index_faults(path: Path) -> int:
    return sum(defect.code == "index" for defect in verify_cohort(path).defects)


def _files(path: Path) -> list[Path]:
    return sorted((path / "index").glob("*.vectors.npy"))


def test_vectors_of_a_large_set_are_mapped_by_the_next_process(large: Path) -> None:
    assert _files(large) == []
    first, is_mapped = _ask(large)
    assert not is_mapped
    (file,) = _files(large)
    assert file.stat().st_mode & 0o077 == 0
    assert _ask(large) == (first, True)
    assert _index_faults(large) == 0
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", whole[:-8] + bytes(8)):
        file.write_bytes(damaged)
        assert _ask(large) == (first, False)
        assert _files(large) == [file]
        assert file.read_bytes() != damaged  # written again


def test_a_file_that_is_wrong_in_the_middle_is_found_and_removed(large: Path) -> None:
    _ask(large)
    (file,) = _files(large)
    data = bytearray(file.read_bytes())
    data[-1] ^= 64
    file.write_bytes(data)
    assert _index_faults(large) == 1
    verify_cohort(large, repair=True)
    assert (_index_faults(large), _files(large)) == (0, [])


def test_vectors_are_kept_of_the_newest_version_and_not_beside_a_writer(large: Path) -> None:
    with Cohort.open(large) as cohort:
        with Cohort.write(large, purpose="newer") as writer:
            writer.put_embeddings(
                "align-1", "ecg", "projected", [NAME], [0], np.ones((1, 24), np.float32)
            )
        cohort.embeddings("align-1", "ecg")
        assert _files(large) == []
    with hold_lock(CohortLayout(large).writer_lock, purpose="test"):
        _ask(large)
        assert _files(large) == []
    _ask(large)
    (file,) = _files(large)
    with Cohort.write(large, purpose="again") as writer:
        writer.put_embeddings(
            "align-1", "ecg", "projected", [NAME], [0], np.full((1, 24), 2, np.float32)
        )
    assert _index_faults(large) == 1
    assert _ask(large)[1] is False
    assert file not in _files(large)
    assert len(_files(large)) == 1


def test_erasing_a_person_removes_the_files_of_vectors(large: Path) -> None:
    _ask(large)
    assert _files(large)
    with Cohort.open(large) as cohort:
        cohort.erase([NAME], erase_shards=lambda *_: ShardErasure(1))
    assert _files(large) == []
