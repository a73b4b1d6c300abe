"""Numbers as they are read: units, intervals, the mark of a prediction, harmless text."""

import math

import pytest

from ptacl_app.text.formatting import (
    PHENOTYPE_LABELS,
    format_count,
    format_interval,
    format_plural,
    format_prediction,
    format_quantity,
    format_sex_age,
    format_share,
    guard_cell,
    safe,
)
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS


def test_predictions_never_look_like_measurements():
    for name in PHENOTYPE_NAMES:
        unit = PHENOTYPE_UNITS[name]
        assert format_prediction(61.23, unit).startswith("~")
        assert not format_quantity(61.23, unit).startswith("~")
        assert format_quantity(61.23, unit).endswith(unit)


@pytest.mark.parametrize("missing", [None, math.nan, math.inf])
def test_missing_is_a_dash_and_no_number(missing):
    assert format_quantity(missing, "mL") == "–"
    assert format_prediction(missing, "mL") == "–"
    assert format_interval(missing, 3.0, "mL") == "–"
    assert format_share(missing) == "–"


def test_decimals_follow_the_unit():
    assert format_quantity(148.4, "mL") == "148 mL"
    assert format_quantity(58.62, "%") == "58.6 %"
    assert format_interval(4.21, 6.78, "L/min") == "4.2–6.8"


def test_labels_are_the_fields_own():
    assert PHENOTYPE_LABELS["lvef_pct"] == "LVEF"
    assert PHENOTYPE_LABELS["lvco_l_min"] == "LVCO"


def test_counts_and_people():
    assert format_count(1234567) == "1\u202f234\u202f567"
    assert format_plural(1, "row") == "1 row"
    assert format_plural(0, "row") == "0 rows"
    assert format_sex_age("F", 60.6) == "F 61 y"
    assert format_sex_age(None, None) == "–"


def test_untrusted_text_loses_its_power():
    hostile = "\x1b]52;c;AAAA\x07\u202eabc\x9b31m\r\n"
    shown = safe(hostile)
    assert shown.isprintable()
    assert "abc" in shown


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-2", "@cmd", "  =1", "＝1", "\t=1"])
def test_cells_are_no_formulas(text):
    assert guard_cell(text) == "'" + text


def test_plain_cells_stay():
    assert guard_cell("p0001") == "p0001"
    assert guard_cell("") == ""
