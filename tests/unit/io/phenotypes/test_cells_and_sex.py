"""Numbers with commas, units and bounds; sexes whose coding is known, declared or refused."""

import math

import numpy as np
import pytest

from ptacl_core.errors import ConfigError
from ptacl_core.io.phenotypes.cells import parse_numbers
from tests.unit.io.phenotypes.csv_tables import codes, read


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["60 %", "55%", "61,5 %"], [60, 55, 61.5]),
        (["150,5", "140,25", "1.234,5"], [150.5, 140.25, 1234.5]),
        (["1,234", "140"], [math.nan, 140]),  # could be read both ways
        (["1,234.5", "140.2"], [1234.5, 140.2]),
        (["<20 %", "≥ 5", ">70"], [math.nan] * 3),
        (["12 parrots", "1e2", "-"], [math.nan, 100, math.nan]),
    ],
)
def test_cells_of_a_column(cells, expected):
    findings = []
    np.testing.assert_allclose(parse_numbers(cells, "lvef_pct", False, findings), expected)
    unread = sum(math.isnan(value) for value in expected) - cells.count("-")
    assert sum(int(finding.message.split()[1]) for finding in findings) == unread


def test_units_behind_the_number_are_converted():
    values = parse_numbers(["0.15 l", "150 mL"], "lvedv_ml", False, [])
    np.testing.assert_allclose(values, [150, 150])


def test_fractions_among_percentages_are_missing_and_told(tmp_path):
    table = read(tmp_path, "subject,lvef_pct\n1,60\n2,0.55\n3,64\n")
    np.testing.assert_array_equal(table.lvef_pct, [60, np.nan, 64])
    assert "mixed_units" in codes(table)


def test_plain_zeros_and_ones_are_refused_until_declared(tmp_path):
    text = "subject,sex,lvef_pct\n1,0,60\n2,1,61\n3,,62\n"
    refused = read(tmp_path, text)
    assert refused.sex.tolist() == [None] * 3
    assert "sex_ambiguous" in codes(refused)
    for coding in ("ptb_xl", "0=M,1=F", {"0": "M", "1": "F"}):
        assert read(tmp_path, text, sex_coding=coding).sex.tolist() == ["M", "F", None]
    assert read(tmp_path, text, sex_coding="ukb").sex.tolist() == ["F", "M", None]
    with pytest.raises(ConfigError, match="ptb_xl"):
        read(tmp_path, text, sex_coding="0=X")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("eid,31-0.0", ["F", "M"]),
        ("eid,sex", ["F", "M"]),
        ("patient,is_male", ["F", "M"]),
        ("patient,female", ["M", "F"]),
        ("ecg_id,patient_id,scp_codes,sex", ["M", "F"]),
    ],
)
def test_codings_that_the_columns_give_away(tmp_path, header, expected):
    width = header.count(",")
    rows = "".join(f"{'9,' * width}{sex}\n".replace("9", str(sex + 7)) for sex in (0, 1))
    assert read(tmp_path, f"{header}\n{rows}").sex.tolist() == expected


def test_true_and_false_beside_is_male(tmp_path):
    table = read(tmp_path, "exam_id,age,is_male,patient_id\n11,50,True,7\n12,61,False,8\n")
    assert table.sex.tolist() == ["M", "F"]
    assert table.subject.tolist() == ["7", "8"]


def test_declared_columns(tmp_path):
    text = "Id,Systole,Diastole\n1,108.3,246.7\n"
    columns = {"Id": "subject", "Systole": "lvesv_ml", "Diastole": "lvedv_ml"}
    table = read(tmp_path, text, columns=columns)
    assert (table.lvedv_ml[0], table.lvesv_ml[0]) == (246.7, 108.3)
    with pytest.raises(ConfigError, match="systole"):
        read(tmp_path, text, columns={"Id": "subject", "Systole": "systole"})


def test_a_table_without_visits_says_that_it_holds_for_all(tmp_path):
    table = read(tmp_path, ",LVEDV (mL),LVESV (mL)\n9000017,150,60\n")
    assert not table.has_visits
    assert "no_visit_column" in codes(table)
    assert read(tmp_path, "eid,24100-2.0\n9000017,150\n").has_visits
