"""People leave shards: their bytes go, everybody else's rows stay where they were."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.errors import ShardError
from ptacl_core.records import PreparedCine, PreparedEcg
from ptacl_core.shards import Rejection, ShardEntry, ShardReader, ShardWriter
from ptacl_core.shards.erasure import erase_people, find_array_pieces, find_people
from ptacl_core.shards.verification import verify_shards


@pytest.fixture
def shards(tmp_path):
    generator = np.random.default_rng(0)
    writer = ShardWriter(tmp_path / "shards", preprocessing=PreprocessSettings(), rows_per_shard=2)
    for index in range(4):
        signal = generator.normal(0, 1, (12, 5000)).astype(np.float32)
        ecg = PreparedEcg(signal, signal, np.array([400, 900], np.int64), 60.0)
        frames = generator.random((50, 84, 84), np.float32)
        cine = PreparedCine(frames, 3, (40.0, 41.5), 20.0) if index % 2 else None
        writer.add(ShardEntry(f"p{index}", 2, "train", ecg, cine))
    writer.reject(Rejection("p1", 3, "ecg", "p1_later.xml", "lead_off", "V1 is constant"))
    writer.reject(Rejection("p9", 2, "ecg", "p9.xml", "lead_off", "V1 is constant"))
    writer.reject(Rejection("", 0, "unknown", "beside_p1.txt", "not_a_recording", "text of p1"))
    writer.finish()
    return tmp_path / "shards"


def read_everything(shards):
    return b"".join(path.read_bytes() for path in sorted(shards.rglob("*")) if path.is_file())


def test_their_bytes_go_and_the_rows_of_others_stay_in_place(shards):
    pieces = find_array_pieces(shards, ["p1"])
    assert len(pieces) == 2
    before = read_everything(shards)
    assert all(piece in before for piece in pieces)
    with ShardReader.open(shards.parent) as reader:
        others = [row for row, name in enumerate(reader.patients) if name != "p1"]
        expected = reader.read_ecg(np.array(others))
        rows = reader.table.select(["patient", "shard", "ecg_row", "cine_row"]).to_pylist()
    assert erase_people(shards, ["p1"]) == 2
    after = read_everything(shards)
    assert not any(piece in after for piece in pieces)
    assert find_people(shards) == {"p0", "p2", "p3", "p9"}
    with ShardReader.open(shards.parent) as reader:
        np.testing.assert_array_equal(reader.read_ecg(reader.rows(needs=("ecg",))), expected)
        kept = reader.table.select(["patient", "shard", "ecg_row", "cine_row"]).to_pylist()
    assert kept == [row for row in rows if row["patient"] != "p1"]
    rejected = pq.read_table(shards / "rejected.parquet")
    assert rejected.column("patient").to_pylist() == ["p9"]
    assert verify_shards(shards) == []


def test_a_second_call_changes_nothing_and_an_interrupted_one_is_finished(shards):
    erase_people(shards, ["p1"])
    before = read_everything(shards)
    assert erase_people(shards, ["p1"]) == 0
    assert read_everything(shards) == before
    description = shards / "part-00000" / "shard.json"  # as if it had died before this one
    document = json.loads(description.read_text())
    document["sha256"]["ecg.npy"] = "0" * 64
    description.write_text(json.dumps(document))
    assert [defect.code for defect in verify_shards(shards)] == ["shard"]
    erase_people(shards, ["p1"])
    assert verify_shards(shards) == []
    assert find_array_pieces(shards, ["p1"]) == []


def test_people_of_similar_names_stay(shards):
    assert erase_people(shards, ["p"]) == 0
    assert find_people(shards) == {"p0", "p1", "p2", "p3", "p9"}


def test_what_a_dead_writer_left_goes_with_them(shards):
    (shards / "part-00003").mkdir()
    (shards / "part-00003" / "ecg.npy").write_bytes(b"half of p1")
    assert [defect.code for defect in verify_shards(shards)] == ["shard_cut_off"]
    erase_people(shards, ["p1"])
    assert not (shards / "part-00003").exists()


@pytest.mark.parametrize("name", ["ecg.npy", "cine.npy", "manifest.parquet", "rejected.parquet"])
def test_every_changed_file_is_named(shards, name):
    path = shards / "part-00000" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    (defect,) = verify_shards(shards)
    assert defect.place == f"part-00000/{name}"
    assert not defect.is_repairable


def test_a_stale_manifest_is_repairable_and_a_damaged_shard_is_told_when_erasing(shards):
    (shards / "manifest.parquet").write_bytes((shards / "rejected.parquet").read_bytes())
    (defect,) = verify_shards(shards)
    assert (defect.code, defect.is_repairable) == ("shard_manifest", True)
    (shards / "part-00000" / "manifest.parquet").write_bytes(b"PAR1")
    with pytest.raises(ShardError, match=r"part-00000/manifest\.parquet"):
        erase_people(shards, ["p1"])
