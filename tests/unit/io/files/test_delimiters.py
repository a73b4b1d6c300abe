"""Small tables whatever stands between their cells."""

import pytest

from ptacl_core.io.files.delimited_columns import find_delimiter, open_delimited, read_columns


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_rows_by_name(tmp_path, mark, encoding):
    path = tmp_path / "pairs.csv"
    lines = [("patient", "ecg", "cmr"), ("9000017", "Müller ecg.xml", " sa.nii.gz "), ("9000018",)]
    lines[2] = ("9000018", "b.xml", "")
    path.write_bytes("\r\n".join(mark.join(line) for line in lines).encode(encoding))
    table = open_delimited(path)
    cells, _ = read_columns(table, range(3))
    assert [name.strip("\ufeff") for name in table.columns] == ["patient", "ecg", "cmr"]
    assert cells[:2] == [["9000017", "9000018"], ["Müller ecg.xml", "b.xml"]]
    assert [cell.strip() for cell in cells[2]] == ["sa.nii.gz", ""]


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("a;b\n1,5;2,5\n", ";"),
        ("Name, first;x;y\nM, A;1;2\n", ";"),
        ('a,"b;c;d",e\n1,2,3\n', ","),
        ("a\tb, c\n1\t2\n", "\t"),
        ("one\n2\n", ","),
    ],
)
def test_the_mark_that_divides_every_line_wins(text, mark):
    assert find_delimiter(text) == mark
