"""Lists of people in the forms in which they are sent."""

import pytest

from ptacl_core.errors import RecordError
from ptacl_core.io.files.identifier_list import read_identifier_list


@pytest.mark.parametrize(
    "data",
    [
        b"9000001\r\n9000002\r\n",
        b"9000001\n9000002",
        b"\xef\xbb\xbf9000001\r\n9000002\r\n",
        "9000001\n9000002\n".encode("utf-16"),
        b'"eid"\r\n"9000001"\r\n"9000002"\r\n',
        b"name;eid\nA;9000001\nB;9000002\n",
        b"participant_id\n\n9000001\n\n9000002\n9000001\n",
        b"eid,reason\n9000001,moved\n9000002,\n",
        b"9000001\t2020\n9000002\t2021\n",
        b" 9000001 \n'9000002'\n",
    ],
)
def test_every_form_gives_the_identifiers_once_in_order(tmp_path, data):
    path = tmp_path / "list.csv"
    path.write_bytes(data)
    assert read_identifier_list(path) == ["9000001", "9000002"]


@pytest.mark.parametrize("data", [b"", b"\r\n \n", b"eid\n", b"PK\x03\x04\0\0", b"x" * 500])
def test_what_holds_no_identifier_is_refused(tmp_path, data):
    path = tmp_path / "list.csv"
    path.write_bytes(data)
    with pytest.raises(RecordError):
        read_identifier_list(path)


def test_numbers_that_a_spreadsheet_rounded_are_refused(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text('eid\n9000001\n9.00E+06\n"9,00001E+06"\n')
    with pytest.raises(RecordError, match="2 identifiers are numbers that a spreadsheet rounded"):
        read_identifier_list(path)
    path.write_text("9.000001E+06\n")
    assert read_identifier_list(path) == ["9.000001E+06"]
