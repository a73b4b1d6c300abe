"""R32-R34: an erased person leaves no bytes, does not come back, and is certified."""

import base64
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.engine import connect_writer, execute
from ptacl_core.cohort.erasure.byte_search import binary_needle, search_directories, text_needles
from ptacl_core.cohort.erasure.erase import ShardErasure, erase_patients
from ptacl_core.cohort.health.verification import verify_cohort
from ptacl_core.cohort.identity.identities import put_identities, read_identifiers
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.errors import CohortError

PERSON = "sim-000017"
IDENTIFIER = "NHS-4857773456"


def _erase_shards(path: Path, people: object) -> ShardErasure:
    """Stands for the shards' code: their arrays are one file of 64 bytes a person here."""
    file = path / "shards" / "part-00000" / "ecg.npy"
    whole = file.read_bytes()
    row = whole[17 * 64 : 18 * 64]
    if row == bytes(64):
        return ShardErasure(0)
    file.write_bytes(whole[: 17 * 64] + bytes(64) + whole[18 * 64 :])
    return ShardErasure(1, (row[:32],))


def _plant(path: Path) -> None:
    """The person everywhere a person may be."""
    shard = path / "shards" / "part-00000"
    shard.mkdir(parents=True)
    shard.joinpath("ecg.npy").write_bytes(np.random.default_rng(3).bytes(60 * 64))
    with Cohort.open(path) as cohort:
        notes = cohort.notes
        notes.add_tag(PERSON, "look")
        notes.add_note(PERSON, "a note")
        notes.add_note("sim-000001", f"like {PERSON}, but older")
        cohort.save_cohort("some", [("some", f"patient IN ('{PERSON}', 'sim-000001')")])
        cohort.export("SELECT patient, lvef_pct FROM overview", name="everybody")
        cohort.export("SELECT patient FROM overview", name="all", file_format="parquet")
        cohort.export("SELECT avg(lvef_pct) AS mean FROM overview", name="mean")
        cohort.export("SELECT lvef_pct AS x FROM overview", name="nameless")
        others = f"WHERE patient <> '{PERSON}'"
        cohort.export(f"SELECT lvef_pct AS x FROM overview {others}", name="some")
        for suffix in ("parquet", "json"):
            cohort.export("SELECT vector FROM embeddings_24", name="vectors", file_format=suffix)
        cohort.export(f"SELECT '{PERSON}' AS p", name=f"about {PERSON}", file_format="json")
        if find_spec("hnswlib") is not None:
            cohort.build_index("align-1", "cmr")
    run = path / "runs" / "align-1"
    run.mkdir(parents=True)
    run.joinpath("residuals.csv").write_text(f"patient,error\n{PERSON},1\nsim-000001,2\n")
    run.joinpath("report.md").write_text(f"worst: {PERSON}\n")
    pq.write_table(pa.table({"patient": [PERSON, "sim-000001"]}), run / "rows.parquet")
    run.joinpath("weights.safetensors").write_bytes(b"\x01\x02" * 500)
    put_identities(CohortLayout(path), {PERSON: IDENTIFIER, "sim-000001": "NHS-1"})
    for file in path.rglob("*"):
        file.chmod(0o700 if file.is_dir() else 0o600)


def _search(path: Path) -> list[str]:
    needles = [*text_needles(PERSON), *text_needles(IDENTIFIER)]
    return [f"{hit.path.name}: {hit.encoding}" for hit in search_directories([path], needles).hits]


@pytest.fixture(scope="session")
def planted_template(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(shutil.copytree(template, tmp_path_factory.mktemp("planted") / "cohort"))
    _plant(path)
    return path


@pytest.fixture
def planted(planted_template: Path, tmp_path: Path) -> Path:
    """A cohort of this test alone, with the person in every place."""
    return Path(shutil.copytree(planted_template, tmp_path / "cohort"))


def test_an_erased_person_leaves_no_byte_and_a_certificate(planted: Path) -> None:
    before = _search(planted)
    for name in ("cohort.duckdb", "everybody.csv", "all.parquet", "residuals.csv", "report.md"):
        assert any(hit.startswith(name) for hit in before), f"{name}: the search is blind"
    with Cohort.open(planted) as cohort:
        vectors = {
            (modality, space): cohort.embeddings("align-1", modality, space)
            for modality in ("ecg", "cmr")
            for space in ("projected", "pooled")
        }
        version = cohort.version
        certificate = cohort.erase([PERSON], erase_shards=_erase_shards)
        assert certificate.is_complete, (certificate.hits, certificate.unread)
        assert cohort.version == version + 1
        assert cohort.is_erased(PERSON)
        with pytest.raises(CohortError):
            cohort.patient(PERSON)
        for (modality, space), old in vectors.items():
            new = cohort.embeddings("align-1", modality, space)
            kept = [row for row, name in enumerate(old.patients) if name != PERSON]
            assert np.array_equal(new.vectors, old.vectors[kept])
            assert new.patients == tuple(old.patients[row] for row in kept)
        near = cohort.neighbours("sim-000001", k=59)
        assert PERSON not in {neighbour.patient for neighbour in near}
        assert cohort.notes.find_tampering() == []
        assert [note.text for note in cohort.notes.notes()] == ["like [erased], but older"]
        assert cohort.notes.tags() == {}
        assert cohort.notes.saved_cohort_members("some") == [("sim-000001", 0), ("sim-000001", 1)]
    assert _search(planted) == []
    left = {path.name for path in (planted / "exports").iterdir()}
    assert not left & {"nameless.csv", "vectors.parquet", "vectors.json"}
    assert {"some.csv", "mean.csv"} <= left
    needles = [
        binary_needle(old.vectors[old.patients.index(PERSON)].tobytes()[:32])
        for old in vectors.values()
    ]
    assert search_directories([planted], needles).hits == ()
    kept = read_identifiers(CohortLayout(planted), [PERSON, "sim-000001"])
    assert kept == {"sim-000001": "NHS-1"}
    assert (planted / "exports" / "mean.csv").exists()
    assert not (planted / "exports" / "everybody.csv").exists()
    run = planted / "runs" / "align-1"
    assert run.joinpath("residuals.csv").read_text() == "patient,error\nsim-000001,2\n"
    assert pq.read_table(run / "rows.parquet").column("patient").to_pylist() == ["sim-000001"]
    document = json.loads(certificate.path.read_text())
    assert document["runs_trained_with_these_people"] == []
    assert document["runs_that_may_hold_them"] == ["align-1"]  # it was made without lineage
    assert document["removed_rows"]["phenotypes"] == 10
    assert document["removed_rows"]["embeddings_24"] == 2
    assert document["removed_shard_rows"] == 1
    assert document["traces_found"] == 0
    assert document["files_searched"] > 10
    assert PERSON not in certificate.path.read_text()
    verification = verify_cohort(planted)
    assert verification.is_whole, verification.defects


def test_an_erased_person_cannot_come_back(planted: Path) -> None:
    with Cohort.open(planted) as cohort:
        cohort.erase([PERSON], erase_shards=_erase_shards)
    vectors = np.ones((1, 24), np.float32)
    row = {"patient": [PERSON], "visit": [0]}
    paths = {
        "patients": lambda w: w.put_patients(pa.table({"patient": [PERSON]})),
        "visits": lambda w: w.put_visits(pa.table(row)),
        "recordings": lambda w: w.put_recordings(pa.table({**row, "modality": ["ecg"]})),
        "phenotypes": lambda w: w.put_phenotypes(pa.table({**row, "name": ["lvef_pct"]})),
        "embeddings": lambda w: w.put_embeddings(
            "align-1", "ecg", "projected", [PERSON], [0], vectors
        ),
        "splits": lambda w: w.put_splits(
            pa.table({"split_name": ["x"], "patient": [PERSON], "split": ["train"]})
        ),
    }
    for name, put in paths.items():
        with (
            pytest.raises(CohortError, match="were erased") as caught,
            Cohort.write(planted, purpose="import") as writer,
        ):
            put(writer)
        assert PERSON not in str(caught.value), name
    with Cohort.write(planted, purpose="import") as writer:
        assert writer.find_erased([PERSON, "sim-000001", "new"]) == {PERSON}
        writer.put_patients(pa.table({"patient": ["new"]}))
    with Cohort.open(planted) as cohort, pytest.raises(CohortError, match="not in this cohort"):
        cohort.erase([PERSON], erase_shards=_erase_shards)


def test_several_people_at_once_and_nobody_by_mistake(cohort_path: Path) -> None:
    people = [f"sim-{row:06d}" for row in range(10, 20)]
    with Cohort.open(cohort_path) as cohort:
        with pytest.raises(CohortError, match="1 of 2 people are not in this cohort"):
            cohort.erase([PERSON, "sim-0000"], erase_shards=lambda *_: ShardErasure(0))
        with pytest.raises(CohortError, match="no code to remove them"):
            cohort.erase([PERSON])
        for nobody in ([], [""], [" "]):
            with pytest.raises(CohortError, match="expected the pseudonyms"):
                cohort.erase(nobody)
        assert cohort.count() == 65
        certificate = cohort.erase(people, erase_shards=lambda *_: ShardErasure(10))
        assert certificate.is_complete
        assert cohort.count() == 55
        assert len(certificate.tombstones) == 10


def test_a_trace_that_nothing_removes_is_told(planted: Path) -> None:
    strange = planted / "runs" / "align-1" / "predictions.bin"
    strange.write_bytes(b"\x00" + PERSON.encode("utf-16-le") + b"\x00")
    broken = planted / "runs" / "align-1" / "broken.parquet"
    broken.write_bytes(b"PAR1" + b"\x00" * 100)
    outside = planted.parent / "session.json"
    outside.write_text(json.dumps({"patient": PERSON}))
    with Cohort.open(planted) as cohort:
        certificate = cohort.erase([PERSON], erase_shards=_erase_shards, also_search=[outside])
    assert not certificate.is_complete
    assert {hit.split(" ")[0] for hit in certificate.hits} == {
        "runs/align-1/predictions.bin",
        "session.json",
    }
    assert [place.partition(":")[0] for place in certificate.not_searched] == [
        "runs/align-1/broken.parquet"
    ]
    assert json.loads(certificate.path.read_text())["is_complete"] is False


def test_a_reader_of_the_old_version_is_named(planted: Path) -> None:
    with Cohort.open(planted) as reader:
        certificate = erase_patients(CohortLayout(planted), [PERSON], erase_shards=_erase_shards)
        assert certificate.open_readers == (os.getpid(),)
        assert reader.is_stale()
        reader.reopen()
        with pytest.raises(CohortError):
            reader.patient(PERSON)


def test_an_erasure_that_was_killed_is_finished_by_the_next(planted: Path) -> None:
    code = """
        import os, signal, sys
        from pathlib import Path
        from ptacl_core.cohort.erasure import erase as erasure
        from ptacl_core.cohort.layout import CohortLayout
        step = sys.argv[3]
        def die(*arguments, **keywords):
            os.kill(os.getpid(), signal.SIGKILL)
        setattr(erasure, step, die)
        def shards(path, people):
            file = path / "shards" / "part-00000" / "ecg.npy"
            whole = file.read_bytes()
            row = whole[17 * 64 : 18 * 64]
            file.write_bytes(whole[: 17 * 64] + bytes(64) + whole[18 * 64 :])
            return erasure.ShardErasure(1, (row[:32],) if any(row) else ())
        erasure.erase_patients(CohortLayout(Path(sys.argv[1])), [sys.argv[2]], erase_shards=shards)
    """
    steps = ["_rebuild", "clean_derived_files", "remove_identities", "erase_notes", "publish"]
    for step in steps:
        process = subprocess.run(
            [sys.executable, "-P", "-c", textwrap.dedent(code), str(planted), PERSON, step],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert process.returncode == -signal.SIGKILL, process.stderr.decode()
        defects = {defect.code for defect in verify_cohort(planted).defects}
        assert "erasure" in defects
    certificate = erase_patients(CohortLayout(planted), [PERSON], erase_shards=_erase_shards)
    assert certificate.is_complete, certificate.hits
    assert _search(planted) == []
    assert verify_cohort(planted, repair=True).is_whole


@pytest.mark.slow
def test_erasures_killed_at_random_moments_are_finished(planted: Path) -> None:
    kill_erasures(planted, num_people=20, seed=11)


def kill_erasures(planted: Path, *, num_people: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    code = """
        import sys
        from pathlib import Path
        from ptacl_core.cohort.erasure.erase import ShardErasure, erase_patients
        from ptacl_core.cohort.layout import CohortLayout
        print("ready", flush=True)
        erase_patients(CohortLayout(Path(sys.argv[1])), [sys.argv[2]],
                       erase_shards=lambda *_: ShardErasure(0))
    """
    for row in range(20, 20 + num_people):
        person = f"sim-{row:06d}"
        with subprocess.Popen(
            [sys.executable, "-P", "-c", textwrap.dedent(code), str(planted), person],
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(generator.uniform(0, 1.0))
            process.kill()
        with Cohort.open(planted) as cohort:
            assert cohort.count() > 0
        try:
            certificate = erase_patients(
                CohortLayout(planted), [person], erase_shards=lambda *_: ShardErasure(0)
            )
            assert certificate.is_complete, certificate.hits
        except CohortError as error:
            assert "not in this cohort" in str(error)
        hits = search_directories([planted], text_needles(person)).hits
        assert hits == ()
        assert verify_cohort(planted, repair=True).is_whole


def test_the_search_finds_a_person_in_every_disguise(tmp_path: Path) -> None:
    secret = "patient-7723941"
    plain = secret.encode()
    contents = {
        "plain.bin": b"\x00\xff" + plain + b"\x00",
        "wide.bin": b"\x01" + secret.encode("utf-16-le"),
        "big.bin": b"\x01" + secret.encode("utf-16-be"),
        "hex.txt": plain.hex().encode(),
        "HEX.txt": plain.hex().upper().encode(),
        "base0.txt": base64.b64encode(b"" + plain + b"tail"),
        "base1.txt": base64.b64encode(b"x" + plain + b"tail"),
        "base2.txt": base64.b64encode(b"xy" + plain + b"tail"),
        "far.bin": bytes(8 * 2**20 - 5) + plain,  # across two pieces of reading
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "packed.gz").write_bytes(gzip.compress(plain))
    with zipfile.ZipFile(tmp_path / "packed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.txt", b"." * 1000 + plain)
    pq.write_table(
        pa.table({"a": ["x", secret], "b": [["y"], [secret]]}),
        tmp_path / "packed.parquet",
        compression="zstd",
    )
    (tmp_path / f"named {secret}.txt").write_text("nothing")
    (tmp_path / "clean.txt").write_text("patient-7723942 patient-772394")
    report = search_directories([tmp_path], text_needles(secret))
    assert {hit.path.name for hit in report.hits} == {
        *contents,
        "packed.gz",
        "packed.zip",
        "packed.parquet",
        f"named {secret}.txt",
    }
    assert report.unread == ()
    short = tmp_path / "short"
    short.mkdir()
    short.joinpath("a.txt").write_text("x12,y")
    assert search_directories([short], text_needles("12")).hits == ()
    short.joinpath("b.txt").write_text("x,12,y")
    assert len(search_directories([short], text_needles("12")).hits) == 1
    with pytest.raises(ValueError, match="16 bytes"):
        binary_needle(b"short")


def test_pseudonyms_are_keyed_stable_and_all_different(cohort_path: Path, keys: Path) -> None:
    layout = CohortLayout(cohort_path)
    with pytest.raises(CohortError, match="no key yet"):
        open_key(layout)
    key = open_key(layout, create=True)
    again = open_key(layout)
    assert key.pseudonym("1234567") == again.pseudonym(" 1234567 ") != again.pseudonym("1234568")
    assert len({key.pseudonym(str(number)) for number in range(20_000)}) == 20_000
    assert "1234567" not in key.pseudonym("1234567")
    assert key.secret.hex() not in repr(key)
    file = next(keys.glob("*.key"))
    assert file.stat().st_mode & 0o777 == 0o600
    assert keys.stat().st_mode & 0o777 == 0o700
    assert not [left for left in cohort_path.rglob("*") if left.name == file.name]
    assert key.secret.hex() not in cohort_path.joinpath("cohort.toml").read_text()
    with pytest.raises(CohortError, match="empty text"):
        key.pseudonym("  ")
    whole = file.read_text()
    for text, expected in ((None, "found no file"), ("zz", "cannot be read"), ("ab", "32 bytes")):
        file.unlink() if text is None else file.write_text(text)
        with pytest.raises(CohortError, match=expected):
            open_key(layout)
    file.write_text("0" * 64)
    with pytest.raises(CohortError, match="expected the key"):
        open_key(layout)
    file.write_text(whole)
    assert open_key(layout).secret == key.secret


def test_identities_are_a_file_of_their_own_for_its_owner_alone(cohort_path: Path) -> None:
    layout = CohortLayout(cohort_path)
    assert read_identifiers(layout, ["a"]) == {}
    put_identities(layout, {"a": "Ada", "b": "Bo"})
    put_identities(layout, {"b": "Bob"})
    assert read_identifiers(layout, ["a", "b", "c"]) == {"a": "Ada", "b": "Bob"}
    assert layout.identities.stat().st_mode & 0o777 == 0o600
    assert b"Bob" not in layout.store.read_bytes()
    layout.identities.write_bytes(b"x" * 100)
    with pytest.raises(CohortError, match=r"identities\.duckdb"):
        read_identifiers(layout, ["a"])


def test_the_search_reads_the_rows_that_duckdb_compresses(tmp_path: Path) -> None:
    file = tmp_path / "rows.duckdb"
    connection = connect_writer(file)
    for statement in (
        "CREATE TABLE t (a VARCHAR, b VARCHAR[], c STRUCT(d VARCHAR), e INTEGER)",
        "INSERT INTO t SELECT 'person-' || i, ['x'], {'d': 'y'}, i FROM range(3000) r(i)",
        "INSERT INTO t VALUES ('z', ['x', 'in-a-list-77'], {'d': 'in-a-struct-77'}, 0)",
        "CHECKPOINT",
    ):
        execute(connection, statement)
    connection.close()
    for name in ("person-2718", "in-a-list-77", "in-a-struct-77"):
        assert search_directories([tmp_path], text_needles(name)).hits, name
    assert search_directories([tmp_path], text_needles("person-3000")).hits == ()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert search_directories([tmp_path], text_needles("person-3000")).unread == (file,)
