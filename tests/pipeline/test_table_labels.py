"""Labels end to end: tables without visits, sexes in numbers, the scanner's own values."""

import gzip
from pathlib import Path

import pytest

from ptacl_core.cohort import Cohort, CohortLayout
from ptacl_core.cohort.identity.aliases import read_known
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.ingest.sources import Sources
from ptacl_core.shards import ShardReader
from ptacl_core.stages.preprocess import run as preprocess

DATA = Path(__file__).resolve().parents[1] / "data"
SAID = "the table names no visit: its values hold for every visit of a person"


@pytest.fixture(scope="module")
def ecgs(tmp_path_factory) -> Path:
    """ECGs without age or sex of a person who came twice."""
    folder = tmp_path_factory.mktemp("ecgs") / "ecg"
    folder.mkdir()
    xml = gzip.decompress((DATA / "ecg" / "HR06000_cardiosoft.xml.gz").read_bytes())
    xml = xml.replace(b"<Gender>FEMALE</Gender>", b"").replace(b'<Age units="YEARS">59</Age>', b"")
    xml = xml.replace(b"HR06000", b"9000001")
    for visit in (2, 3):
        (folder / f"9000001_20205_{visit}_0.xml").write_bytes(xml + b"\n" * visit)
    return folder


@pytest.fixture(scope="module")
def cohort(ecgs, tmp_path_factory) -> Path:
    """The recordings alone."""
    path = tmp_path_factory.mktemp("cohorts") / "recordings_first"
    preprocess.run(ecgs, path, num_workers=1)
    return path


@pytest.fixture
def add_table(cohort, tmp_path):
    """Gives a table to the cohort in a call of its own; returns the rows by visit, the summary."""

    def add(name: str, text: str, **options):
        table = tmp_path / f"{name}.csv"
        table.write_text(text)
        summary = preprocess.run(Sources((table,), **options), cohort, num_workers=1)
        return read_rows(cohort), summary

    return add


def read_rows(cohort: Path) -> dict:
    with ShardReader.open(cohort) as reader:
        return {row["visit"]: row for row in reader.table.to_pylist()}


def test_a_table_without_visits_holds_for_every_visit_and_is_said(ecgs, cohort, tmp_path, ptacl):
    table = tmp_path / "table.csv"
    table.write_text(",LVEDV (mL),LVEF (%)\n9000001,150,61\n9000002,140,58\n")
    both = ptacl("preprocess", tmp_path / "both", ecgs, table, "--workers", 1)
    assert SAID in " ".join(both.err.split())
    assert "table.csv: 1 of its 2 people have recordings" in both.out
    alone = ptacl("preprocess", cohort, table)
    assert SAID in " ".join(alone.err.split())
    for folder in (tmp_path / "both", cohort):
        rows = read_rows(folder)
        assert {visit: row["lvef_pct"] for visit, row in rows.items()} == {2: 61.0, 3: 61.0}


def test_rows_of_visits_without_a_recording_are_counted(add_table):
    text = "eid,visit,lvsv_ml\n9000001,Visit 02,61\n9000001,Baseline,55\n9000001,5,58\n"
    rows, summary = add_table("visits", text)
    assert rows[2]["lvsv_ml"] == 61.0 and rows[3]["lvsv_ml"] is None
    assert summary.without_visit == {"visits.csv": (2, 3)}
    assert summary.document().tables["visits.csv"].rows_without_visit == 2
    assert summary.unmatched.tables == 0
    _, summary = add_table("none", "eid,visit,lvsv_ml\n9000001,7,61\n")
    assert summary.unmatched.tables == 1


def test_sexes_in_numbers_need_a_coding(add_table):
    text = "subject,gender,lvesv_ml\n9000001,0,50\n9000002,1,60\n"
    rows, _ = add_table("ambiguous", text)
    assert rows[2]["sex"] is None and rows[2]["lvesv_ml"] == 50.0
    rows, _ = add_table("declared", text, sex_coding="0=F,1=M")
    assert rows[2]["sex"] == rows[3]["sex"] == "F"
    rows, _ = add_table("ptb", text, sex_coding="ptb_xl")
    assert rows[2]["sex"] == "M"


def test_the_command_takes_a_coding_and_refuses_another(ptacl, ecgs, tmp_path):
    answer = ptacl("preprocess", tmp_path / "c", ecgs, "--sex-coding", "0=X")
    assert answer.exit_code == 2 and "0=F,1=M" in answer.err


def test_the_scanners_values_are_stored_apart(add_table, cohort, ptacl):
    text = "eid,22420-2.0,22421-2.0,24100-2.0,24103-2.0\n9000001,48,170,151,61\n"
    rows, _ = add_table("scanner", text)
    assert (rows[2]["scanner_lvef_pct"], rows[2]["scanner_lvedv_ml"]) == (48.0, 170.0)
    assert rows[2]["lvedv_ml"] == 151.0 and rows[2]["lvef_pct"] == 61.0
    with Cohort.open(cohort) as store:
        held = store.sql("SELECT visit, name, value, unit, field FROM scanner_phenotypes").rows
        values = store.sql("SELECT DISTINCT value FROM phenotypes").rows
    assert sorted(held) == [(2, "lvedv_ml", 170.0, "mL", 22421), (2, "lvef_pct", 48.0, "%", 22420)]
    assert not {48.0, 170.0} & {value for (value,) in values}
    assert "scanner_phenotypes" in ptacl("query", cohort, "--schema").out


def test_what_told_an_erased_person_goes_and_stays_away(ptacl, ecgs, cohort):
    key = open_key(CohortLayout(cohort))
    known = read_known(cohort / "shards", key)
    assert known.find("id", "9000001") is not None and known.find("id", "9000002") is not None
    answer = ptacl("erase", cohort, "9000001", "--yes")
    assert answer.exit_code == 0, answer.err
    preprocess.run(ecgs, cohort, num_workers=1)
    known = read_known(cohort / "shards", key)
    assert known.find("id", "9000001") is None and known.find("id", "9000002") is not None
    assert read_rows(cohort) == {}
