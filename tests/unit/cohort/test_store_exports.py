"""R36: exports open without formulas, one record a row, with honest counts."""

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.sql.exports import RESEARCH_USE_ONLY, format_csv
from ptacl_core.errors import CohortError, QueryError

FORMULAS = [
    "=1+1",
    "+1",
    "-1+2",
    "@SUM(A1)",
    " =1+1",
    "\u00a0=1",
    "\u3000=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
    "\t=1",
    "\r=1",
    "'=1",
    "=cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_text_is_taken_for_a_formula(text: str) -> None:
    written = format_csv(["note", text], [(text, "x")])
    rows = list(csv.reader(io.StringIO(written)))
    assert len(rows) == 2
    for cell in (rows[0][1], rows[1][0]):
        assert cell.startswith("'")


def test_one_record_stays_on_one_line() -> None:
    rows = [("a\nb", 1), ("c\r\nd", 2), ('e "f", g', 3), ("\x1b]0;x\x07", 4), (None, 5)]
    written = format_csv(["text", "number"], rows)
    assert written.count("\r\n") == 6
    assert "\n" not in written.replace("\r\n", "")
    assert "\x1b" not in written
    read = list(csv.reader(io.StringIO(written)))
    assert [line[1] for line in read[1:]] == ["1", "2", "3", "4", "5"]
    assert read[3][0] == 'e "f", g'


def test_numbers_stay_numbers() -> None:
    written = format_csv(["a", "b", "c"], [(-1.5, -2, float("nan")), (True, [1, 2], {"k": -1})])
    assert written.splitlines()[1] == "-1.5,-2,"
    assert list(csv.reader(io.StringIO(written)))[2] == ["True", "[1, 2]", '{"k": -1}']


@pytest.mark.parametrize("file_format", ["csv", "json", "parquet"])
def test_an_export_is_whole_and_says_how_it_came_about(cohort: Cohort, file_format: str) -> None:
    statement = "SELECT patient, lvef_pct, [1, 2] AS list FROM overview ORDER BY patient, visit"
    export = cohort.export(statement, name="first 1", file_format=file_format)
    assert export.path == cohort.path / "exports" / f"first 1.{file_format}"
    assert (export.num_rows, export.is_truncated) == (65, False)
    if file_format == "csv":
        assert len(export.path.read_text().splitlines()) == 66
    elif file_format == "json":
        assert json.loads(export.path.read_text())[0]["patient"] == "sim-000000"
    else:
        table = pq.read_table(export.path)
        assert table.num_rows == 65
        assert table.schema.metadata[b"notice"].decode() == RESEARCH_USE_ONLY
    about = json.loads(Path(f"{export.path}.about.json").read_text())
    assert about["statement"] == statement
    assert about["notice"] == RESEARCH_USE_ONLY
    assert (about["num_rows"], about["is_truncated"], about["store_version"]) == (65, False, 2)


def test_an_export_that_is_cut_says_so(cohort: Cohort) -> None:
    export = cohort.export("SELECT * FROM range(100)", name="short", max_rows=10)
    assert (export.num_rows, export.is_truncated) == (10, True)
    assert len(export.path.read_text().splitlines()) == 11


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", ".hidden", "/etc/x", "a\0b", "x" * 101, "a\nb", "é", "-x"]
)
def test_nothing_is_written_outside_the_folder(cohort: Cohort, name: str) -> None:
    with pytest.raises(QueryError, match="name: expected"):
        cohort.export("SELECT 1", name=name)
    with pytest.raises(QueryError, match="format: expected"):
        cohort.export("SELECT 1", name="ok", file_format="xlsx")
    assert list((cohort.path / "exports").iterdir()) == []


def test_what_sql_refuses_exports_refuse(cohort: Cohort) -> None:
    for statement in ("DROP TABLE runs", "SELECT * FROM read_text('/etc/passwd')", "SELECT"):
        with pytest.raises(QueryError):
            cohort.export(statement, name="x")
    with pytest.raises(QueryError, match="name of its own"):
        cohort.export("SELECT 1 AS a, 2 AS a", name="x", file_format="json")
    odd = cohort.export("SELECT 'inf'::DOUBLE AS a", name="odd", file_format="json")
    assert json.loads(odd.path.read_text()) == [{"a": None}]
    knn = cohort.export("SELECT * FROM knn('sim-000001', 4)", name="near")
    assert knn.num_rows == 4


def test_a_folder_that_cannot_be_written_is_named(cohort: Cohort) -> None:
    (cohort.path / "exports").rmdir()
    (cohort.path / "exports").write_text("a file stands here")
    with pytest.raises(CohortError, match="exports"):
        cohort.export("SELECT 1", name="x")
