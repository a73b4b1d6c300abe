"""`verify` proves a cohort whole or names each defect; `repair` rebuilds what is derived."""

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.engine import connect_writer, execute
from ptacl_core.cohort.health.verification import verify_cohort
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.cohort.publication import Publication, write_manifest
from ptacl_core.errors import CohortError


@pytest.fixture
def whole(cohort_path: Path) -> Path:
    """A cohort that `verify` finds nothing wrong with."""
    shard = cohort_path / "shards" / "part-00000"
    shard.mkdir(mode=0o700)
    with Cohort.open(cohort_path) as cohort:
        if find_spec("hnswlib") is not None:
            cohort.build_index("align-1", "cmr")
        cohort.notes.append_audit("query", statement="SELECT 1")
    return cohort_path


def _codes(path: Path) -> set[str]:
    return {defect.code for defect in verify_cohort(path).defects}


def test_a_whole_cohort_has_no_defect(whole: Path) -> None:
    verification = verify_cohort(whole)
    assert verification.is_whole, verification.defects
    assert verification.num_checks > 20
    again = verify_cohort(whole, repair=True)
    assert again.is_whole
    assert again.repaired == ()


def _change(path: Path, *statements: str) -> None:
    """Change rows as only a fault could, and publish the result as if it were right."""
    layout = CohortLayout(path)
    connection = connect_writer(layout.store)
    for statement in statements:
        execute(connection, statement)
    execute(connection, "CHECKPOINT")
    connection.close()
    write_manifest(layout, (Publication.of(layout.store, version=2),))


ROW_FAULTS = {
    "doubled_key": ["INSERT INTO patients SELECT * FROM patients LIMIT 1"],
    "unknown_run": ["UPDATE predictions SET run = 'ghost' WHERE patient = 'sim-000001'"],
    "unknown_settings": ["UPDATE recordings SET preprocessing_hash = 'zz' WHERE visit = 1"],
    "interval": ["UPDATE predictions SET low = value + 1 WHERE patient = 'sim-000001'"],
    "split": [
        "INSERT INTO splits SELECT split_name, patient, 'test', assigned_at FROM splits LIMIT 1"
    ],
    "unknown_recording": ["DELETE FROM recordings WHERE patient = 'sim-000009'"],
    "doubled_array": ["UPDATE shards SET \"row\" = 0 WHERE patient = 'sim-000009'"],
    "shard_missing": ["UPDATE shards SET shard = 'part-77777' WHERE patient = 'sim-000009'"],
    "embeddings": ["DELETE FROM embeddings_24 WHERE patient = 'sim-000009'"],
    "table": ["ALTER TABLE runs DROP COLUMN seed"],
}


@pytest.mark.parametrize("code", ROW_FAULTS)
def test_every_fault_between_rows_is_named(whole: Path, code: str) -> None:
    if code == "table":
        shutil.rmtree(whole / "index", ignore_errors=True)  # none without hnswlib
    _change(whole, *ROW_FAULTS[code])
    assert code in _codes(whole)


def test_changed_vectors_are_noticed(whole: Path) -> None:
    _change(
        whole,
        "UPDATE embeddings_24 SET vector = list_transform(vector::FLOAT[], "
        "lambda v: v * 2)::FLOAT[24] WHERE patient = 'sim-000009'",
    )
    messages = [
        defect.message for defect in verify_cohort(whole).defects if defect.code == "embeddings"
    ]
    assert messages == ["the vectors are not those that were written"] * 2


def _flip(path: Path) -> None:
    data = bytearray((path / "cohort.duckdb").read_bytes())
    data[len(data) // 2] ^= 1
    (path / "cohort.duckdb").write_bytes(data)


def _interrupt_publication(path: Path) -> None:
    layout = CohortLayout(path)
    now = Publication.of(layout.store, version=2)
    write_manifest(layout, (now, Publication(3, now.bytes + 1, "0" * 64)))


def _drop_views(path: Path) -> None:
    _change(path, "DROP VIEW findings CASCADE", "DROP TABLE overview")


FILE_FAULTS: dict[str, tuple[Callable[[Path], object], bool]] = {
    "store_missing": (lambda path: (path / "cohort.duckdb").unlink(), False),
    "store_changed": (_flip, False),
    "store_unreadable": (lambda path: (path / "cohort.duckdb").write_bytes(b"x" * 9999), False),
    "manifest": (_interrupt_publication, True),
    "leftover": (lambda path: _private(path / ".cohort.duckdb.private"), True),
    "stray_log": (lambda path: _private(path / "cohort.duckdb.wal"), True),
    "rights": (lambda path: (path / "cohort.duckdb").chmod(0o644), True),
    "derived": (_drop_views, True),
    "notes": (lambda path: (path / "notes.duckdb").write_bytes(b"x" * 9999), False),
    "audit_log": (lambda path: (path / "notes.duckdb").unlink(), False),
    "erasure": (lambda path: _private(path / ".erasure.json"), False),
}


def _private(path: Path) -> None:
    path.write_bytes(b"left")
    path.chmod(0o600)


@pytest.mark.parametrize("code", FILE_FAULTS)
def test_every_fault_of_a_file_is_named_and_what_is_derived_is_repaired(
    whole: Path, code: str
) -> None:
    break_it, is_repairable = FILE_FAULTS[code]
    break_it(whole)
    verification = verify_cohort(whole)
    assert code in {defect.code for defect in verification.defects}
    repaired = verify_cohort(whole, repair=True)
    if is_repairable:
        assert repaired.is_whole, repaired.defects
        assert code in {defect.code for defect in repaired.repaired}
        with Cohort.open(whole) as cohort:
            assert cohort.count() == 65
    else:
        assert code in {defect.code for defect in repaired.defects}


@pytest.mark.parametrize("text", [None, "", "{}", "nonsense"])
def test_a_lost_manifest_is_written_anew_from_a_whole_store(whole: Path, text: str | None) -> None:
    file = whole / "manifest.json"
    file.unlink() if text is None else file.write_text(text)
    assert "manifest" in _codes(whole)
    assert verify_cohort(whole, repair=True).is_whole
    with Cohort.open(whole) as cohort:
        assert cohort.version == 2


def test_a_damaged_or_stale_index_is_built_anew(whole: Path) -> None:
    pytest.importorskip("hnswlib")
    file = next((whole / "index").glob("*.hnsw"))
    data = bytearray(file.read_bytes())
    data[100] ^= 0xFF
    file.write_bytes(data)
    assert "index" in _codes(whole)
    assert verify_cohort(whole, repair=True).is_whole
    with Cohort.write(whole, purpose="embed") as writer:
        writer.put_embeddings("align-1", "cmr", "projected", ["new"], [0], np.ones((1, 24), "f4"))
    assert "index" in _codes(whole)
    assert verify_cohort(whole, repair=True).is_whole


def test_a_lost_key_is_named(whole: Path, keys: Path) -> None:
    open_key(CohortLayout(whole), create=True)
    assert verify_cohort(whole).is_whole
    next(keys.glob("*.key")).unlink()
    assert _codes(whole) == {"key"}


def test_what_is_no_cohort_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="expected a cohort directory"):
        verify_cohort(tmp_path)


def test_verifying_while_a_writer_works_disturbs_nobody(whole: Path) -> None:
    with Cohort.write(whole, purpose="embed") as writer:
        assert verify_cohort(whole).is_whole
        writer.put_patients(pa.table({"patient": ["new"]}))
    assert verify_cohort(whole).is_whole


def test_defects_read_well_and_name_nobody(whole: Path) -> None:
    _change(whole, *ROW_FAULTS["doubled_key"], *ROW_FAULTS["interval"])
    for defect in verify_cohort(whole).defects:
        assert "sim-0" not in str(defect)
        assert json.dumps(str(defect)).isascii()
