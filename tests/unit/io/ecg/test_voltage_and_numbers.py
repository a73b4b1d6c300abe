"""Units in all spellings, numbers in text."""

import numpy as np
import pytest

from ptacl_core.errors import MissingUnitError, UnreadableFileError
from ptacl_core.io.ecg.voltage import find_millivolts, read_millivolts
from ptacl_core.io.files.number_text import parse_count, parse_number, parse_numbers


@pytest.mark.parametrize(
    ("unit", "millivolts"),
    [
        ("mV", 1.0),
        ("mv", 1.0),
        ("MV", 1.0),
        (" mV ", 1.0),
        ("millivolts", 1.0),
        ("uV", 1e-3),
        ("UV", 1e-3),
        ("\u00b5V", 1e-3),
        ("\u03bcV", 1e-3),
        ("MICROVOLTS", 1e-3),
        ("uVperLsb", 1e-3),
        ("uV/LSB", 1e-3),
        ("uV per bit", 1e-3),
        ("4.88 uV", 4.88e-3),
        ("4.88uV", 4.88e-3),
        ("1e-3 mV", 1e-3),
        ("V", 1e3),
        ("volts", 1e3),
        ("nV", 1e-6),
        ("nanovolt", 1e-6),
    ],
)
def test_units_become_millivolts(unit, millivolts):
    assert find_millivolts(unit) == pytest.approx(millivolts, rel=1e-12)


@pytest.mark.parametrize(
    "unit", ["", "none", "adu", "LSB", "mmHg", "degC", "mV/mm", "kV", "0 mV", "1e999 mV", "-1 mV"]
)
def test_what_is_no_voltage_is_asked_for(unit):
    assert find_millivolts(unit) is None
    with pytest.raises(MissingUnitError, match=r"rec\.edf.*the dimension.*give unit="):
        read_millivolts(unit, name="rec.edf", where="the dimension")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,2,-3,", [1, 2, -3]),
        ("\t1,2,\n\t\t3", [1, 2, 3]),
        ("1 2\n3", [1, 2, 3]),
        ("", []),
        ("+7", [7]),
        ("1.5 2", [1.5, 2.0]),
    ],
)
def test_numbers_with_commas_blanks_and_lines(text, numbers):
    assert parse_numbers(text, name="n", where="lead I").tolist() == numbers


def test_long_texts_are_read_in_blocks():
    values = np.arange(-200_000, 200_000)
    parsed = parse_numbers(",".join(map(str, values)), name="n", where="w")
    np.testing.assert_array_equal(parsed, values)
    assert parsed.dtype == np.int64


@pytest.mark.parametrize(
    "text", ["1,,2", ",1", "1,a,2", "nan", "1,inf", "1e999", "0x10", "1;2", "9" * 30 + "e999"]
)
def test_gaps_and_words_among_numbers_are_refused(text):
    with pytest.raises(UnreadableFileError, match=r"rec\.xml.*lead V3"):
        parse_numbers(text, name="rec.xml", where="lead V3")


def test_single_fields():
    assert parse_number(" 4.5 ") == 4.5
    assert [parse_number(text) for text in ("", None, "Failed", "nan", "inf")] == [None] * 5
    assert parse_count("12") == 12
    assert [parse_count(text) for text in ("", None, "-1", "1.0", "٣", "9" * 20)] == [None] * 6
