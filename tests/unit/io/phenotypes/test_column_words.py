"""Units, visits and methods in the names of columns; what is not understood is told."""

import numpy as np
import pytest

from ptacl_core.ingest.labels import read_tables
from tests.unit.io.phenotypes.csv_tables import codes, read


@pytest.mark.parametrize(
    ("header", "cell", "name", "expected"),
    [
        ("LVEF (fraction)", 0.55, "lvef_pct", 55),
        ("LVEF [0-1]", 0.55, "lvef_pct", 55),
        ("LVEDV (cc)", 150, "lvedv_ml", 150),
        ("age (months)", 600, "age_years", 50),
        ("height (in)", 70, "height_cm", 177.8),
        ("height_mm", 1700, "height_cm", 170),
        ("weight (lbs)", 180, "weight_kg", 81.65),
        ("PatientAge", "061Y", "age_years", 61),
        ("PatientSize", 1.72, "height_cm", 172),
    ],
)
def test_units_in_the_name(tmp_path, header, cell, name, expected):
    table = read(tmp_path, f"id,{header},RVEDV\n1,{cell},160\n")
    assert getattr(table, name)[0] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("names", "visits"),
    [
        ("LVEF_baseline,LVEF_followup", ["baseline", "followup"]),
        ("LVEF (%)_v1,LVEF (%)_v2", ["1", "2"]),
        ("lvef_pct_t0,lvef_pct_t1", ["0", "1"]),
        ("visit1_LVEF,visit2_LVEF", ["1", "2"]),
        ("lvef.bl,lvef.12mo", ["12", "bl"]),
    ],
)
def test_visits_in_the_name(tmp_path, names, visits):
    table = read(tmp_path, f"id,sex,{names}\n1,F,55,60\n2,M,50,\n")
    assert sorted(set(table.visit)) == visits
    assert len(table) == 3  # no row for a visit without a value
    assert set(table.lvef_pct) == {55, 60, 50}
    assert set(table.sex) == {"F", "M"}


@pytest.mark.parametrize(
    "name", ["LVEF_echo", "LVEDV % predicted", "LVEDV z-score", "LVEF (method 2)", "age (decades)"]
)
def test_a_column_that_is_not_understood_is_named(tmp_path, name):
    table = read(tmp_path, f"id,RVEDV,{name}\n1,160,55\n")
    (finding,) = [finding for finding in table.findings if finding.code == "columns_unclear"]
    assert name in finding.message
    assert np.isnan(table.lvef_pct).all()
    assert np.isnan(table.lvedv_ml).all()
    assert np.isnan(table.age_years).all()


@pytest.mark.parametrize(("name", "usual"), [("height", 69), ("weight", 180)])
def test_a_column_in_inches_or_pounds_is_refused_until_it_says_so(tmp_path, name, usual):
    lines = "".join(f"{n},{usual + n},55\n" for n in range(5))
    assert "unit_unclear" in codes(read(tmp_path, f"id,{name},LVEF\n{lines}"))
    own = "height_cm" if name == "height" else "weight_kg"
    stated = read(tmp_path, f"id,{own},LVEF\n{lines}")
    assert "unit_unclear" not in codes(stated)
    assert getattr(stated, own)[0] == usual


@pytest.mark.parametrize("header", ["Gender (1=male)", "sex [0 = female]", "Sex: 1: M"])
def test_one_stated_code_tells_the_other(tmp_path, header):
    table = read(tmp_path, f"id,{header},LVEF\n1,1,55\n2,0,60\n")
    assert table.sex.tolist() == ["M", "F"]


def test_one_person_in_two_spellings_is_told(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,visit,LVEF\n007,2,55\n7,Visit 2,60\n7,3,61\n")
    (table,) = read_tables([path], [])
    assert [label.values["lvef_pct"] for label in table.labels] == [55, 61]
    assert "1 rows repeat a person and visit in another spelling" in table.findings[-1].message
