"""UK Biobank's header styles, each the same table; the scanner's fields kept apart."""

import numpy as np
import pytest

from ptacl_core.io import read_phenotypes
from ptacl_core.records.phenotypes import PHENOTYPE_FIELD_IDS
from tests.unit.io.phenotypes.header_styles import STYLES, TITLES, platform

VALUES = [140.0, 55.0, 85.0, 60.7, 5.2, 85.0, 140.0, 58.0, 82.0, 58.6]
COVARIATES = {
    "Age when attended assessment centre": (21003, 63),
    "Standing height": (50, 165),
    "Weight": (21002, 70),
    "Body mass index (BMI)": (21001, 25.7),
}


def build_table(style, *, extra=None) -> str:
    names = ["Participant ID", "Sex"]
    cells = ["9000017", "Female"]
    for title, (field, value) in COVARIATES.items():
        names.append(style(title, field, 2))
        cells.append(str(value))
    for (name, title), value in zip(TITLES.items(), VALUES, strict=True):
        for instance in (2, 3):
            names.append(style(title, PHENOTYPE_FIELD_IDS[name], instance))
            cells.append(str(value + instance - 2))
    for name, value in (extra or {}).items():
        names.append(name)
        cells.append(str(value))
    return ",".join(f'"{name}"' for name in names) + "\n" + ",".join(cells) + "\n"


@pytest.mark.parametrize("style", STYLES)
def test_every_style_gives_the_same_table(tmp_path, style):
    path = tmp_path / "a.csv"
    path.write_text(build_table(STYLES[style]))
    table = read_phenotypes(path)
    assert table.visit.tolist() == ["2", "3"]
    assert table.sex.tolist() == ["F", "F"]
    np.testing.assert_allclose(table.phenotypes, np.stack([VALUES, np.array(VALUES) + 1]))
    assert table.age_years[0] == 63
    assert (table.height_cm[0], table.weight_kg[0], table.bmi_kg_m2[0]) == (165, 70, 25.7)
    assert table.has_visits
    assert not {"ambiguous_titles", "scanner_derived"} & {f.code for f in table.findings}


SCANNER_STYLES = ("old csv", "platform field", "title and field", "dotted title and field")


@pytest.mark.parametrize("style", SCANNER_STYLES)
def test_scanner_fields_beside_the_others_are_kept_apart(tmp_path, style):
    name = STYLES[style]("LV ejection fraction", 22420, 2)
    path = tmp_path / "a.csv"
    path.write_text(build_table(STYLES[style], extra={name: 51.0}))
    table = read_phenotypes(path)
    np.testing.assert_allclose(table.lvef_pct, [60.7, 61.7])
    np.testing.assert_array_equal(table.scanner["lvef_pct"], [51.0, np.nan])
    assert "scanner_derived" in {finding.code for finding in table.findings}


def test_a_title_that_stands_twice_is_used_for_neither(tmp_path):
    path = tmp_path / "a.csv"
    name = "LV ejection fraction | Instance 2"
    path.write_text(build_table(STYLES["title"], extra={name: 51.0, "n": 1}))
    table = read_phenotypes(path)
    assert np.isnan(table.lvef_pct[0])
    assert table.lvef_pct[1] == pytest.approx(61.7)
    assert "ambiguous_titles" in {finding.code for finding in table.findings}


def test_a_table_of_scanner_titles_gives_no_phenotypes(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "Participant ID,LV ejection fraction | Instance 2,Cardiac output | Instance 2,"
        "Cardiac index | Instance 2\n9000017,51,4.5,2.4\n"
    )
    table = read_phenotypes(path)
    assert np.isnan(table.phenotypes).all()
    assert table.scanner["lvef_pct"].tolist() == [51.0]
    assert table.scanner["lvco_l_min"].tolist() == [4.5]


def test_a_newer_field_of_the_same_title_is_no_phenotype(tmp_path):
    path = tmp_path / "a.csv"
    newer = platform("LV ejection fraction", 31999, 2)
    path.write_text(f"Participant ID,{newer},{platform('RV stroke volume', 24108, 2)}\n1,51,80\n")
    table = read_phenotypes(path)
    assert np.isnan(table.lvef_pct).all()
    assert table.rvsv_ml.tolist() == [80.0]
    assert "other_derivation" in {finding.code for finding in table.findings}
