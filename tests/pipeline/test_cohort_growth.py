"""Deliveries: ECGs, cines and tables in any order give the cohort that one call gives."""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.ingest.sources import Sources
from ptacl_core.shards import ShardReader
from ptacl_core.stages.preprocess import run as preprocess

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
EIDS = ("9000001", "9000002")
HEADERS = {
    "dashes": ("eid", "31-0.0", "24100-2.0", "24103-2.0"),
    "platform": ("participant.eid", "participant.p31", "p24100_i2", "p24103_i2"),
    "r": ("f.eid", "f.31.0.0", "f.24100.2.0", "f.24103.2.0"),
}


@pytest.fixture(scope="module", autouse=True)
def keys(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PTACL_KEYS", str(tmp_path_factory.mktemp("keys")))
        yield


@pytest.fixture(scope="module")
def platform(tmp_path_factory) -> Path:
    """ECGs and cines in folders of their own, spread over NN/, and a table."""
    folder = tmp_path_factory.mktemp("platform") / "Bulk"
    xml = gzip.decompress((DATA / "ecg" / "HR06000_cardiosoft.xml.gz").read_bytes())
    for number, eid in enumerate(EIDS):
        ecg = folder / "ECG" / eid[-2:] / f"{eid}_20205_2_0.xml"
        cine = folder / "MRI" / eid[-2:] / f"{eid}_20209_2_0.zip"
        for path in (ecg, cine):
            path.parent.mkdir(parents=True, exist_ok=True)
        ecg.write_bytes(xml + b"\n" * number)
        shutil.copy(DATA / "cmr" / "SCD0000301_sax_midslice.zip", cine)
    write_table(folder / "tables" / "table.csv", "dashes")
    return folder


def write_table(path: Path, style: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [HEADERS[style], *((eid, "0", 150 + i, 60 + i) for i, eid in enumerate(EIDS))]
    path.write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n")
    return path


@pytest.fixture(scope="module")
def new_cohort(tmp_path_factory):
    """Makes cohorts of one key, so that pseudonyms are comparable."""
    folder = tmp_path_factory.mktemp("cohorts")
    preprocess.open_or_create(folder / "first", PreprocessSettings())

    def make(name: str) -> Path:
        return Path(shutil.copytree(folder / "first", folder / name))

    return make


@pytest.fixture(scope="module")
def at_once(platform, new_cohort) -> Path:
    cohort = new_cohort("at_once")
    summary = preprocess.run(platform, cohort, num_workers=1)
    assert summary.accepted == {"ecg": 2, "cmr": 2, "pairs": 2}
    assert summary.plan["people"] == 2
    return cohort


def content(cohort: Path) -> dict:
    """Every visit's arrays and fields, wherever they lie."""
    places = ("shard", "ecg_row", "cine_row")
    with ShardReader.open(cohort) as reader:
        return {
            (row["patient"], row["visit"]): {
                **{name: value for name, value in row.items() if name not in places},
                "ecg": reader.read_ecg(np.array([index])).tobytes(),
                "cine": reader.read_cine_bytes(np.array([index])).tobytes(),
            }
            for index, row in enumerate(reader.table.to_pylist())
        }


ORDERS = {
    "ecg, cine, table": ("ECG", "MRI", "tables"),
    "table, cine, ecg": ("tables", "MRI", "ECG"),
}


@pytest.mark.parametrize("order", ORDERS)
def test_deliveries_in_any_order_are_one_call(platform, new_cohort, at_once, order):
    cohort = new_cohort(order.replace(", ", "-"))
    summaries = [
        preprocess.run(platform / delivery, cohort, num_workers=1) for delivery in ORDERS[order]
    ]
    assert content(cohort) == content(at_once)
    again = preprocess.run(platform, cohort, num_workers=1)
    assert again.accepted == {"ecg": 0, "cmr": 0, "pairs": 0}
    assert (again.finished, again.completed, again.changed) == (2, 0, 0)
    assert summaries[-1].unmatched.tables == 0


@pytest.mark.parametrize("style", HEADERS)
def test_every_header_style_gives_the_same_labels(platform, new_cohort, at_once, tmp_path, style):
    cohort = new_cohort(f"style-{style}")
    table = write_table(tmp_path / f"{style}.csv", style)
    preprocess.run([platform / "ECG", platform / "MRI"], cohort, phenotypes=table, num_workers=1)
    assert content(cohort) == content(at_once)


def test_a_changed_file_is_made_again_and_only_it(platform, new_cohort, at_once, tmp_path):
    source = Path(shutil.copytree(platform, tmp_path / "Bulk"))
    cohort = new_cohort("changed")
    preprocess.run(source, cohort, num_workers=1)
    muse = gzip.decompress((DATA / "ecg" / "HR06000_cardiosoft.xml.gz").read_bytes())
    ecg = source / "ECG" / "01" / f"{EIDS[0]}_20205_2_0.xml"
    ecg.write_bytes(muse.replace(b"<PQInterval", b" <PQInterval") + b"\n\n\n")
    summary = preprocess.run(source, cohort, num_workers=1)
    assert (summary.finished, summary.changed) == (1, 1)
    assert summary.accepted["ecg"] == 1 and summary.accepted["cmr"] == 0
    before, after = content(at_once), content(cohort)
    assert {key: row["cine"] for key, row in before.items()} == {
        key: row["cine"] for key, row in after.items()
    }
    changed = [key for key in before if before[key]["ecg_sha256"] != after[key]["ecg_sha256"]]
    assert len(changed) == 1


def test_a_table_that_matches_nobody_is_said_and_strict_ends_with_2(
    ptacl, platform, at_once, tmp_path
):
    table = tmp_path / "others.csv"
    table.write_text("eid,24103-2.0\n9000777,61\n9000778,62\n")
    answer = ptacl(
        "preprocess", at_once, platform, "--phenotypes", table, "--strict", "--workers", 1
    )
    assert answer.exit_code == 2
    assert "WARNING: others.csv: none of its 2 people has a recording here" in answer.out
    document = json.loads(
        ptacl("preprocess", at_once, platform, "--phenotypes", table, "--json").out
    )
    assert document["unmatched"] == {"recordings": 0, "table_people": 2, "tables": 1}
    assert document["finished_visits"] == 2


def test_the_plan_is_a_table_that_comes_back_as_pairs(ptacl, platform, new_cohort, tmp_path):
    plan = tmp_path / "plan.csv"
    answer = ptacl("preprocess", platform, "--plan", plan)
    assert answer.exit_code == 0, answer.err
    assert "plan: 2 people, 2 visits, 2 ECG, 2 CMR, 2 pairs" in answer.out
    assert plan.stat().st_mode & 0o077 == 0
    lines = plan.read_text().splitlines()
    assert lines[0].startswith("patient,visit,ecg,cmr")
    plan.write_text("\n".join([lines[0], lines[1].replace(EIDS[0], "9000099", 1)]) + "\n")
    cohort = new_cohort("corrected")
    summary = preprocess.run(platform, cohort, pairs=plan, num_workers=1)
    assert summary.accepted == {"ecg": 1, "cmr": 1, "pairs": 1}
    (key,) = content(cohort)
    assert key[1] == 2
    _, secret = preprocess.open_or_create(cohort, PreprocessSettings())
    assert key[0] == secret.pseudonym("9000099")


def test_a_list_of_files_is_taken_instead_of_a_walk(platform, new_cohort, at_once, tmp_path):
    listed = tmp_path / "files.txt"
    paths = sorted(path for path in platform.rglob("*") if path.is_file())
    listed.write_text("\n".join(map(str, paths)) + "\n")
    cohort = new_cohort("listed")
    preprocess.run(Sources(files_from=listed), cohort, num_workers=1)
    assert content(cohort) == content(at_once)
    listed.write_text(f"{paths[0]}\n{platform / 'gone.xml'}\n")
    with pytest.raises(Exception, match="no such file"):
        preprocess.run(Sources(files_from=listed), cohort, num_workers=1)


def test_two_ecgs_without_visits_are_two_visits_in_any_order(new_cohort, tmp_path):
    samples = ROOT / "assets" / "samples"
    for delivery, name in (("a", "HR06000"), ("b", "HR06004")):
        folder = tmp_path / delivery / "H100"
        folder.mkdir(parents=True)
        header = (samples / f"{name}.hea").read_text()
        (folder / f"{name}.hea").write_text(header + "# patient id: H100\n")
        shutil.copy(samples / f"{name}.mat", folder)
    cohort = new_cohort("two")
    for delivery in ("a", "b", "a"):
        summary = preprocess.run(tmp_path / delivery, cohort, num_workers=1)
    assert (summary.finished, summary.changed) == (1, 0)
    with ShardReader.open(cohort) as reader:
        assert sorted(reader.visits) == [0, 1]
        assert len(set(reader.patients)) == 1


def test_what_recordings_and_tables_say_against_each_other_is_told(at_once, tmp_path):
    cohort = Path(shutil.copytree(at_once, tmp_path / "copy"))
    table = tmp_path / "table.csv"
    table.write_text(f"eid,sex,24103-2.0\n{EIDS[0]},M,60\n{EIDS[1]},F,61\n")
    summary = preprocess.run(table, cohort, num_workers=1)
    warnings = [note for note in summary.notes if note.startswith("WARNING")]
    assert "1 cines are the very same files under 2 people" in warnings[0]
    assert "1 people have another sex in their recordings than in a table" in warnings[1]
    lists = tmp_path / "w12345_20250101.csv"
    lists.write_text(f"{EIDS[0]}\n")
    summary = preprocess.run(Sources((tmp_path / "w12345_20250101.csv",)), cohort, num_workers=1)
    assert any("holds 1 people of the withdrawal list" in note for note in summary.notes)
