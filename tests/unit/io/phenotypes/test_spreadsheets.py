"""What spreadsheets and statistics programs do to identifiers, and what they save."""

import zipfile

import pytest

from ptacl_core.io import discover, read_phenotypes


def table(tmp_path, text: str, encoding: str = "utf-8"):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    return read_phenotypes(path)


def test_identifiers_that_were_rounded_are_nobodys(tmp_path):
    """Two people of a spreadsheet become one number; a code with an E in it stays a code."""
    read = table(tmp_path, "eid,LVEDV (ml)\n9.00E+06,120\n9.00E+06,130\n1E5,140\n")
    assert read.subject.tolist() == ["1E5"]
    assert {finding.code: finding.message[:6] for finding in read.findings}[
        "subjects_rounded"
    ] == "2 rows"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ('eid,LVEDV (ml)\n="9000001",120\n', "utf-8"),
        ("sep=;\neid;LVEDV (ml)\n9000001;120\n", "utf-8"),
        ("eid\tLVEDV (ml)\n9000001\t120\n", "utf-16"),
        ("eid|LVEDV (ml)\n9000001|120\n", "utf-8"),
        ("eid,LVEDV\n,ml\n9000001,120\n", "utf-8"),
        ("eid,LVEDV (L)\n9000001,0.12\n", "utf-8"),
    ],
)
def test_ways_to_save_a_table(tmp_path, text, encoding):
    read = table(tmp_path, text, encoding)
    assert (read.subject.tolist(), read.lvedv_ml.tolist()) == (["9000001"], [120.0])


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.sav", b"$FL2@(#) SPSS" + bytes(400), "SPSS"),
        ("a.dta", b"<stata_dta><header>" + bytes(300), "Stata"),
        ("a.sas7bdat", bytes(12) + b"\xc2\xea\x81\x60" + bytes(400), "SAS"),
        ("a.ods", b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis", "Excel"),
        ("a.odt", b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis", "office"),
    ],
)
def test_tables_of_other_programs_are_named(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    (table,) = discover(tmp_path)
    assert table.modality == "unknown"
    assert expected in table.reason
    assert "CSV" in table.reason


def test_a_workbook_is_named_once_and_not_looked_into(tmp_path):
    with zipfile.ZipFile(tmp_path / "results.xlsx", "w") as book:
        for part in ("[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml"):
            book.writestr(part, "<x/>")
    (table,) = discover(tmp_path)
    assert "Excel workbook" in table.reason
