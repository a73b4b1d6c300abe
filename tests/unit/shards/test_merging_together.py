"""Jobs that end together: their shards are all in the manifests and the store, merged seldom."""

import shutil
import threading
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.errors import CohortLockedError
from ptacl_core.ingest.register import REGISTER_LOCK, REGISTERED_FILE, register_shards
from ptacl_core.records import PreparedEcg
from ptacl_core.safety.files.lock import hold_lock, wait_for_lock
from ptacl_core.shards import (
    Rejection,
    ShardEntry,
    ShardReader,
    ShardWriter,
    manifest,
    merge_manifests,
)
from ptacl_core.shards.spec import EVERY_VISIT

NUM_JOBS = 24


def write_job(directory: Path, number: int, *, num_visits: int = 2) -> ShardWriter:
    """What one job of an array leaves before it ends: one complete shard, nothing merged."""
    writer = ShardWriter(
        directory, preprocessing=PreprocessSettings(), prefix=f"files-{number + 1}-of-{NUM_JOBS}-"
    )
    signal = np.random.default_rng(number).standard_normal((12, 5000)).astype(np.float32)
    for index in range(num_visits):
        writer.add(
            ShardEntry(
                patient=f"p{number:03d}{index}",
                visit=2,
                split="train",
                ecg=PreparedEcg(signal, signal, np.arange(100, 5000, 400), 75.0),
                cine=None,
            )
        )
    writer.reject(Rejection(f"p{number:03d}x", 2, "ecg", f"{number}.xml", "flat", "flat"))
    writer.flush()
    return writer


def end_together(jobs):
    """Call all of `jobs` at the same moment, each in a thread of its own."""
    start, faults = threading.Barrier(len(jobs)), []

    def end(job):
        start.wait()
        try:
            job()
        except Exception as error:  # noqa: BLE001 - asserted below
            faults.append(error)

    threads = [threading.Thread(target=end, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def count_merges(monkeypatch) -> list[int]:
    """Grows by the number of rows for each manifest that is merged from now on."""
    merged: list[int] = []
    original = manifest.merge_rows

    def count(table):
        merged.append(table.num_rows)
        return original(table)

    monkeypatch.setattr(manifest, "merge_rows", count)
    return merged


def test_jobs_that_end_together_lose_nothing_and_merge_a_few_times(tmp_path, monkeypatch):
    cohort = tmp_path / "cohort"
    writers = [write_job(cohort / "shards", number) for number in range(NUM_JOBS)]
    merged = count_merges(monkeypatch)

    def end(writer):
        writer.finish()
        register_shards(cohort, name="together", source="files", convention="as given")

    end_together([lambda writer=writer: end(writer) for writer in writers])
    assert 1 <= len(merged) <= 2
    assert pq.read_metadata(cohort / "shards" / "manifest.parquet").num_rows == 2 * NUM_JOBS
    assert pq.read_metadata(cohort / "shards" / "rejected.parquet").num_rows == NUM_JOBS
    with Cohort.open(cohort) as store:
        assert store.count() == 2 * NUM_JOBS
        assert store.version <= 3  # created, registered, perhaps once more


def test_a_shard_that_comes_later_is_merged_and_registered(tmp_path):
    cohort = tmp_path / "cohort"
    for number in range(2):
        write_job(cohort / "shards", number).finish()
        register_shards(cohort, name="later", source="files", convention="as given")
        with Cohort.open(cohort) as store:
            assert store.count() == 2 * (number + 1)


def test_jobs_registered_one_after_another_are_all_registered_at_once(tmp_path):
    grown, once = tmp_path / "grown", tmp_path / "once"
    for number in range(3):
        write_job(grown / "shards", number).finish()
        register_shards(grown, name="grown", source="files", convention="as given")
    # what a table says of people of two earlier jobs
    labels = ShardWriter(grown / "shards", preprocessing=PreprocessSettings(), prefix="labels-1-")
    with ShardReader.open(grown) as reader:
        for patient in (reader.patients[0], reader.patients[-1]):
            labels.add_labels(patient, EVERY_VISIT, "train", {"lvef_pct": 41.5, "sex": "F"})
    labels.finish()
    register_shards(grown, name="grown", source="files", convention="as given")
    shutil.copytree(grown / "shards", once / "shards")
    for name in (REGISTERED_FILE, REGISTER_LOCK):
        (once / "shards" / name).unlink()
    register_shards(once, name="grown", source="files", convention="as given")
    with Cohort.open(grown) as one, Cohort.open(once) as other:
        for table in ("patients", "visits", "recordings", "phenotypes", "shards", "splits"):
            # hashes of files are keyed, and each cohort has a key of its own
            left_out = {"splits": "assigned_at", "recordings": "file_hash"}.get(table)
            columns = "*" if left_out is None else f"* EXCLUDE ({left_out})"
            query = f"SELECT {columns} FROM {table} ORDER BY ALL"
            assert one.fetch(query) == other.fetch(query), table
        counts = one.fetch("SELECT count(*) FROM phenotypes WHERE value = 41.5")
    assert counts == [(2,)]


def test_nothing_new_writes_nothing_and_a_changed_manifest_is_merged_again(tmp_path, monkeypatch):
    cohort = tmp_path / "cohort"
    write_job(cohort / "shards", 0).finish()
    register_shards(cohort, name="twice", source="files", convention="as given")
    merged = count_merges(monkeypatch)
    merge_manifests(cohort / "shards")
    register_shards(cohort, name="twice", source="files", convention="as given")
    assert merged == []
    with Cohort.open(cohort) as store:
        version = store.version
    (cohort / "shards" / "manifest.parquet").unlink()
    merge_manifests(cohort / "shards")
    assert len(merged) == 1
    merge_manifests(cohort / "shards", anew=True)
    assert len(merged) == 2
    register_shards(cohort, name="twice", source="files", convention="as given")
    with Cohort.open(cohort) as store:
        assert store.version == version


def test_waiting_for_a_lock_says_so_once_and_ends_with_an_error(tmp_path):
    said = []
    with (
        hold_lock(tmp_path / "lock", purpose="first"),
        pytest.raises(CohortLockedError, match="first"),
        wait_for_lock(
            tmp_path / "lock",
            purpose="second",
            on_wait=said.append,
            interval_s=0.02,
            patience_s=0.12,
        ),
    ):
        pass
    assert len(said) == 1
