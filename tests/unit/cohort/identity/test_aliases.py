"""Sealed evidence: found again with the key, silent without it, gone with its person."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ptacl_core.cohort.identity.aliases import (
    KnownPeople,
    forget_evidence,
    read_known,
    write_known,
)
from ptacl_core.cohort.identity.keys import CohortKey

KEY = CohortKey(bytes(range(32)))
OURS, OTHERS = "paaaaaaaaaaaaa", "pbbbbbbbbbbbbb"


@pytest.fixture
def folder(tmp_path):
    """What two calls know of two people."""
    first, second = KnownPeople(KEY), KnownPeople(KEY)
    for known, identifier, patient in ((first, "9000001", OURS), (second, "9000002", OTHERS)):
        known.add("id", identifier, patient)
        known.add("visit", f"{patient}\0baseline", "0", owner=patient)
        known.add_mark(patient, "0", "ecg", owner=patient)
    write_known(tmp_path, first, prefix="1-of-1-")
    write_known(tmp_path, second, prefix="added-")
    return tmp_path


def test_evidence_is_found_with_the_key_alone(folder):
    known = read_known(folder, KEY)
    assert known.find("id", "9000001") == OURS
    assert known.find("visit", f"{OURS}\0baseline") == "0"
    assert known.has_mark(OURS, "0", "ecg")
    assert read_known(folder, CohortKey(bytes(32))).find("id", "9000001") is None
    text = b"".join(path.read_bytes() for path in folder.iterdir())
    assert not any(word.encode() in text for word in ("9000001", OURS, "baseline"))


def test_an_erased_person_leaves_no_row(folder):
    before = read_known(folder, KEY)
    gone = {tag for tag, owner in before.owners.items() if owner == before._own(OURS)}
    assert len(gone) == 3
    assert forget_evidence(folder, KEY, [OURS]) == 3
    after = read_known(folder, KEY)
    assert not gone & {*after.sealed, *after.marks}
    assert after.find("id", "9000001") is None and not after.has_mark(OURS, "0", "ecg")
    assert after.find("id", "9000002") == OTHERS and after.has_mark(OTHERS, "0", "ecg")
    assert forget_evidence(folder, KEY, [OURS]) == 0
    assert forget_evidence(folder / "nothing", KEY, [OURS]) == 0


def test_rows_that_do_not_tell_whom_they_are_about_go_with_an_erasure(folder):
    path = folder / "added-known.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["owner"]), path)
    assert read_known(folder, KEY).find("id", "9000002") == OTHERS
    assert forget_evidence(folder, KEY, [OURS]) == 6
    assert pa.concat_tables(map(pq.read_table, folder.glob("*.parquet"))).num_rows == 0
