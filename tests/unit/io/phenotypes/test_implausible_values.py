"""Numbers that tables write for "not known", and other values that nobody has: refused, counted."""

import numpy as np
import pytest

from ptacl_core.io.phenotypes.checks import drop_impossible, repair_units
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.records.limits import POSSIBLE_RANGES

USUAL = dict.fromkeys(POSSIBLE_RANGES, (31.0, 65.0)) | {
    "lvco_l_min": (3.0, 9.0),
    "height_cm": (150.0, 190.0),
}


def read_column(values, quantity):
    findings = []
    repaired = repair_units(np.array(values, dtype=np.float64), quantity, findings)
    return drop_impossible(repaired, quantity, findings), findings


@pytest.mark.parametrize("quantity", POSSIBLE_RANGES)
def test_numbers_for_not_known_are_no_values(quantity):
    usual = np.linspace(*USUAL[quantity], 20)
    codes = [0, -1, -9, 999, 9999] + ([888] if quantity in PHENOTYPE_NAMES else [])
    kept, findings = read_column([*usual, *codes, *codes], quantity)
    np.testing.assert_array_equal(kept[:20], usual)
    assert np.isnan(kept[20:]).all()
    (finding,) = findings
    assert finding.code == "impossible_values"
    assert finding.severity == "warning"
    assert f"{quantity}: {2 * len(codes)} values outside" in finding.message
    assert "0 × 2, -1 × 2, -9 × 2, …" in finding.message


@pytest.mark.parametrize("quantity", ["age_years", "weight_kg", "lvesv_ml", "lvco_l_min"])
def test_codes_within_the_limits_that_stand_apart(quantity):
    code = 99 if quantity != "lvco_l_min" else 77
    usual = np.linspace(*USUAL[quantity], 20)
    kept, (finding,) = read_column([*usual, code, code, code], quantity)
    assert np.isnan(kept[20:]).all()
    assert f"{code} × 3" in finding.message


@pytest.mark.parametrize("others", [[98], [97, 99, 101], [120, 140]])
def test_a_value_among_others_is_no_code(others):
    values = [*np.linspace(60, 95, 30), 99, 99, 99, *others]
    kept, findings = read_column(values, "lvedv_ml")
    np.testing.assert_array_equal(kept, values)
    assert not findings


def test_one_old_person_is_a_person():
    kept, findings = read_column([55, 60, 71, 80, 99], "age_years")
    assert kept[-1] == 99
    assert not findings


@pytest.mark.parametrize("code", [999, 99, -9, 0, 100])
@pytest.mark.parametrize(
    ("quantity", "factor"), [("lvef_pct", 0.01), ("lvedv_ml", 0.001), ("height_cm", 0.01)]
)
def test_a_code_does_not_hide_the_unit(quantity, factor, code):
    usual = np.linspace(*USUAL[quantity], 20)
    kept, findings = read_column([*usual * factor, code], quantity)
    np.testing.assert_allclose(kept[:20], usual)
    assert np.isnan(kept[20])
    assert [finding.code for finding in findings] == ["unit_converted", "impossible_values"]
    assert "1 values outside" in findings[1].message
