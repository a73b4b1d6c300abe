"""The search finds a person in every container and spelling, and says what it did not look into."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ptacl_core.cohort.engine import connect_writer, execute
from ptacl_core.cohort.erasure.byte_search import search_directories
from ptacl_core.cohort.erasure.needles import (
    NeedleFinder,
    binary_needle,
    number_of,
    text_needles,
)

IDENTIFIER = "9000017"
PSEUDONYM = "pabcdefghijklm"


def find(root: Path, *texts: str) -> tuple[set[str], set[str]]:
    """Names of files with a hit, and of those that were not looked into."""
    texts = texts or (IDENTIFIER, PSEUDONYM)
    report = search_directories(
        [root],
        [needle for text in texts for needle in text_needles(text)],
        numbers=[number for text in texts if (number := number_of(text)) is not None],
    )
    return {hit.path.name for hit in report.hits}, {
        place.path.name for place in report.not_searched
    }


def pack_zip(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return packed.getvalue()


def pack_npz(**arrays: np.ndarray) -> bytes:
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **arrays)
    return packed.getvalue()


def pack_parquet(**columns: pa.Array) -> bytes:
    packed = io.BytesIO()
    pq.write_table(pa.table(columns), packed)
    return packed.getvalue()


def pack_tar(name: str, data: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return packed.getvalue()


TEXT = f"eid,sex\n{IDENTIFIER},F\n".encode()
NUMBERS = np.array([1, int(IDENTIFIER), 3])
PLANTED = {
    "plain.csv": TEXT,
    "padded.csv": b"eid\n009000017\n",
    "with_point.csv": b"9000017.0;F\n",
    "second.csv": b"57,9000017,F\n",
    "quoted.json": b'{"id": "9000017"}',
    "utf16.txt": TEXT.decode().encode("utf-16-le"),
    "stem.json": b'["9000017_20205_2_0.xml"]',
    "log.txt.gz": gzip.compress(TEXT),
    "log.txt.bz2": bz2.compress(TEXT),
    "log.txt.xz": lzma.compress(TEXT),
    "archive.zip": pack_zip(**{"table.csv": TEXT}),
    "nested.zip": pack_zip(**{"inner.zip": pack_zip(**{"a.gz": gzip.compress(TEXT)})}),
    "archive.tar.gz": pack_tar("table.csv", TEXT),
    "named.tar.gz": pack_tar("9000017_20205_2_0.xml", b"nothing"),
    "int32.npy": b"",
    "arrays.npz": pack_npz(ids=NUMBERS),
    "strings.npz": pack_npz(ids=np.array(["a", IDENTIFIER])),
    "integers.parquet": pack_parquet(id=pa.array(NUMBERS, pa.int32())),
    "floats.parquet": pack_parquet(id=pa.array(NUMBERS.astype(float))),
    "text.parquet": pack_parquet(id=pa.array(["x", IDENTIFIER])),
    "dictionary.parquet": pack_parquet(id=pa.array(["x", IDENTIFIER]).dictionary_encode()),
    "parquet.zip": pack_zip(**{"t.parquet": pack_parquet(id=pa.array(NUMBERS))}),
    "pseudonym.bin": b"\0\1" + PSEUDONYM.encode() + b"\2",
    "pseudonym.hex": PSEUDONYM.encode().hex().encode(),
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("planted")
    for name, data in PLANTED.items():
        (root / name).write_bytes(data)
    np.save(root / "int32.npy", NUMBERS.astype(np.int32))
    connection = connect_writer(root / "integers.duckdb")
    execute(connection, "CREATE TABLE t AS SELECT 9000017::BIGINT AS id")
    connection.close()
    connection = connect_writer(root / "text.duckdb")
    execute(connection, "CREATE TABLE t AS SELECT '9000017' AS id FROM range(1000)")
    connection.close()
    (root / f"{IDENTIFIER}_20205_2_0.xml").write_bytes(b"<x/>")
    return root


def test_every_planted_place_is_found(planted):
    hits, not_searched = find(planted)
    everything = {*PLANTED, "integers.duckdb", "text.duckdb", f"{IDENTIFIER}_20205_2_0.xml"}
    assert hits == everything
    assert not_searched == set()


def test_other_numbers_are_not_taken_for_the_person(tmp_path):
    near = [b"19000017", b"90000170", b"0.9000017", b"9000017.5", b"9000017e-3", b"12.9000017"]
    for number, data in enumerate(near):
        (tmp_path / f"{number}.txt").write_bytes(b"x " + data + b" y")
    np.save(tmp_path / "near.npy", np.array([19000017, 90000170, 9000018]))
    np.save(tmp_path / "samples.npy", np.arange(9, dtype=np.float16))
    assert find(tmp_path) == (set(), set())


def test_a_number_on_the_edge_of_two_pieces_is_judged_once(tmp_path, monkeypatch):
    monkeypatch.setattr("ptacl_core.cohort.erasure.byte_search._PIECE_BYTES", 64)
    for shift in range(80):
        file = tmp_path / "edge.txt"
        file.write_bytes(b"a" * shift + b" 9000017 " + b"b" * 200)
        assert find(tmp_path)[0] == {"edge.txt"}, shift
        file.write_bytes(b"a" * shift + b" 99000017 " + b"b" * 100 + b" 90000178 " + b"c" * 60)
        assert find(tmp_path)[0] == set(), shift


def test_links_are_followed_and_loops_end(tmp_path):
    cohort, elsewhere = tmp_path / "cohort", tmp_path / "elsewhere"
    for folder in (cohort, elsewhere / "runs", elsewhere / "one"):
        folder.mkdir(parents=True)
    (elsewhere / "runs" / "rows.csv").write_bytes(TEXT)
    (elsewhere / "one" / "file.csv").write_bytes(TEXT)
    (cohort / "runs").symlink_to(elsewhere / "runs")
    (cohort / "file.csv").symlink_to(elsewhere / "one" / "file.csv")
    (cohort / "runs" / "back").symlink_to(cohort)
    (cohort / "nowhere").symlink_to(tmp_path / "gone")
    report = search_directories([cohort], text_needles(IDENTIFIER))
    assert {hit.path.name for hit in report.hits} == {"rows.csv", "file.csv"}
    assert report.num_bytes == 2 * len(TEXT)


def test_what_cannot_be_looked_into_is_told_with_the_reason(tmp_path):
    deep = TEXT
    for _ in range(6):
        deep = gzip.compress(deep)
    (tmp_path / "deep.gz").write_bytes(deep)
    (tmp_path / "damaged.gz").write_bytes(gzip.compress(TEXT * 99)[:-20])
    (tmp_path / "other.zst").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(40))
    Image.new("L", (8, 8)).save(tmp_path / "sheet.png")
    os.mkfifo(tmp_path / "pipe")
    report = search_directories([tmp_path], text_needles(IDENTIFIER))
    reasons = {place.path.name: place.reason for place in report.not_searched}
    assert set(reasons) == {"deep.gz", "damaged.gz", "other.zst", "sheet.png", "pipe"}
    assert "deeper than" in reasons["deep.gz"]
    assert "zstd" in reasons["other.zst"]
    assert "may show a person" in reasons["sheet.png"]
    assert set(report.unread) == {tmp_path / name for name in reasons}


def test_many_needles_in_one_pass_find_what_each_finds_alone():
    generator = np.random.default_rng(0)
    pieces = [generator.bytes(48) for _ in range(60)]
    texts = [f"p{generator.bytes(8).hex()}" for _ in range(20)]
    needles = [binary_needle(piece) for piece in pieces]
    needles += [needle for text in texts for needle in text_needles(text)]
    noise = generator.bytes(200_000)
    for needle in needles:
        data = noise + needle.data + noise
        assert NeedleFinder(needles).find(data) == {needle.encoding}
        assert NeedleFinder([needle]).find(data) == {needle.encoding}
    assert NeedleFinder(needles).find(noise) == set()
