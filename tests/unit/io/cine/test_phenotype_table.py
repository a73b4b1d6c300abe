"""Phenotype tables: UK Biobank, ukbb_cardiac and plain names; units and consistency."""

import csv
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptacl_core.errors import RecordError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.phenotypes.columns import find_meaning
from ptacl_core.io.phenotypes.table import PhenotypeTable, read_phenotypes
from ptacl_core.records import PHENOTYPE_NAMES, Finding
from ptacl_core.records.phenotypes import PHENOTYPE_FIELD_IDS
from tests.unit.io.phenotypes.header_styles import STYLES

SPELLINGS = {
    "old": "old csv",
    "rap": "platform field",
    "r": "R field",
    "rap_prefixed": "with entity",
}
SUBJECTS = {"old": "eid", "rap": "eid", "r": "f.eid", "rap_prefixed": "participant.eid"}
HEART: dict[str, float] = dict(
    zip(
        PHENOTYPE_NAMES,
        (150.0, 60.0, 90.0, 60.0, 5.4, 90.0, 160.0, 70.0, 90.0, 56.25),
        strict=True,
    )
)


def write(path: Path, rows: Sequence[Mapping[str, object]], delimiter: str = ",") -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, names, delimiter=delimiter, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def codes(table: PhenotypeTable) -> set[str]:
    return {finding.code for finding in told(table)}


def told(table: PhenotypeTable) -> list[Finding]:
    """The findings, without the one that every table without a visit has."""
    return [finding for finding in table.findings if finding.code != "no_visit_column"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_uk_biobank_spellings(tmp_path: Path, spelling: str) -> None:
    subject = SUBJECTS[spelling]

    def name(field: int, visit: int) -> str:
        return STYLES[SPELLINGS[spelling]]("", field, visit)

    first = {name(PHENOTYPE_FIELD_IDS[key], 2): value for key, value in HEART.items()}
    second = {name(PHENOTYPE_FIELD_IDS[key], 3): value + 1 for key, value in HEART.items()}
    covariates = {
        name(31, 0): 1,
        name(21003, 2): 61,
        name(21003, 3): 65,
        name(21001, 2): 24.5,
        name(50, 2): 178,
        name(12144, 2): 177,
        name(21002, 2): 80.5,
    }
    rows = [{subject: "0012345"} | first | second | covariates, {subject: "0023456"} | first]
    table = read_phenotypes(write(tmp_path / "x.csv", rows))
    assert list(zip(table.subject, table.visit, strict=True)) == [
        ("0012345", "2"),
        ("0023456", "2"),
        ("0012345", "3"),
    ]
    np.testing.assert_array_equal(table.phenotypes[0], list(HEART.values()))
    np.testing.assert_array_equal(table.phenotypes[2], np.array(list(HEART.values())) + 1)
    assert table.sex.tolist() == ["M", None, "M"]
    np.testing.assert_array_equal(table.age_years, [61, np.nan, 65])
    np.testing.assert_array_equal(table.height_cm, [177, np.nan, np.nan])  # 12144 before 50
    np.testing.assert_array_equal(table.weight_kg, [80.5, np.nan, np.nan])
    np.testing.assert_array_equal(table.bmi_kg_m2, [24.5, np.nan, np.nan])
    assert len(table) == 3


def test_ukbb_cardiac_sample(cmr_data: Path) -> None:
    table = read_phenotypes(cmr_data / "phenotypes_from_contours.csv")
    assert table.subject.tolist() == ["SCD0000101", "SCD0000201", "SCD0000301"]
    assert set(table.visit) == {""}
    np.testing.assert_allclose(
        table.phenotypes[0, :6], [191.32, 141.27, 50.05, 26.16, 3.95, 116.75]
    )
    assert np.isnan(table.phenotypes[:, 6:]).all()
    assert codes(table) == {"phenotypes_absent"}


def test_plain_names_with_visits(tmp_path: Path) -> None:
    rows = [
        {"subject": "007", "visit": visit, "sex": sex, "age_years": 50 + index}
        | {"height_cm": 170, "weight_kg": 70, "bmi_kg_m2": 24.2}
        | HEART
        for index, (visit, sex) in enumerate([("base", "F"), ("2.0", "male"), ("", "x")])
    ]
    table = read_phenotypes(write(tmp_path / "x.csv", rows))
    assert table.visit.tolist() == ["base", "2", ""]
    assert table.sex.tolist() == ["F", "M", None]
    np.testing.assert_array_equal(table.age_years, [50, 51, 52])
    assert codes(table) == {"sex_unknown"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_delimiters_and_encodings(tmp_path: Path, delimiter: str, encoding: str) -> None:
    text = delimiter.join(["subject", "Größe", "lvedv_ml"]) + "\n"
    text += delimiter.join(["0071", "ä", "150.5"]) + "\n"
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode(encoding))
    table = read_phenotypes(path)
    assert table.subject.tolist() == ["0071"]
    assert table.lvedv_ml.tolist() == [150.5]


def test_decimal_commas_and_gzip(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"subject;lvedv_ml;lvef_pct\n1;150,5;60\n"))
    table = read_phenotypes(path)
    assert (table.lvedv_ml[0], table.lvef_pct[0]) == (150.5, 60)


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("lvef_pct", 0.01),
        ("lvedv_ml", 0.001),
        ("lvco_l_min", 1000.0),
        ("lvm_g", 0.001),
    ],
)
def test_other_units_are_converted_and_told(tmp_path: Path, name: str, factor: float) -> None:
    rows = [{"subject": str(i)} | HEART | {name: HEART[name] * factor} for i in range(4)]
    table = read_phenotypes(write(tmp_path / "x.csv", rows))
    np.testing.assert_allclose(getattr(table, name), HEART[name])
    assert codes(table) == {"unit_converted"}


def test_units_in_the_column_name(tmp_path: Path) -> None:
    rows = [{"subject": "1", "LVEDV (L)": 0.15, "Height (m)": 1.7, "LVM [kg]": 0.09}]
    table = read_phenotypes(write(tmp_path / "x.csv", rows))
    assert table.lvedv_ml[0] == pytest.approx(150)
    assert table.height_cm[0] == pytest.approx(170)
    assert table.lvm_g[0] == pytest.approx(90)


def test_height_in_metres_is_converted(tmp_path: Path) -> None:
    rows = [{"subject": str(i), "height": 1.7, "lvedv_ml": 150} for i in range(3)]
    table = read_phenotypes(write(tmp_path / "x.csv", rows))
    np.testing.assert_allclose(table.height_cm, 170)


def test_indexed_volumes_are_never_taken(tmp_path: Path) -> None:
    rows = [{"subject": "1", "LVEDVi (mL/m2)": 80, "LVESV (mL/m²)": 30, "RVEDVI": 75, "LVSV": 70}]
    table = read_phenotypes(write(tmp_path / "x.csv", rows))
    assert np.isfinite(table.phenotypes).sum() == 1
    assert "indexed_columns_ignored" in codes(table)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("lvsv_ml", 93.0, "stroke_volume_differs"),
        ("rvsv_ml", 80.0, "stroke_volume_differs"),
        ("lvef_pct", 62.0, "ejection_fraction_differs"),
        ("rvef_pct", 50.0, "ejection_fraction_differs"),
    ],
)
def test_inconsistent_rows_are_counted(tmp_path: Path, name: str, value: float, code: str) -> None:
    rows = [{"subject": f"secret{i}"} | HEART for i in range(5)]
    rows[1] |= {name: value}
    rows[3] |= {name: value}
    table = read_phenotypes(write(tmp_path / "x.csv", rows))
    (finding,) = told(table)
    assert finding.code == code
    assert "in 2 rows" in finding.message
    assert "secret" not in finding.message
    assert getattr(table, name)[1] == value  # told, not changed


def test_rounded_values_are_consistent(tmp_path: Path) -> None:
    rows = [{"subject": "1"} | HEART | {"lvedv_ml": 150.4, "lvesv_ml": 60.4, "lvef_pct": 60}]
    assert codes(read_phenotypes(write(tmp_path / "x.csv", rows))) == set()


def test_end_systole_above_end_diastole(tmp_path: Path) -> None:
    rows = [{"subject": "1", "lvedv_ml": 60, "lvesv_ml": 150}]
    assert "esv_above_edv" in codes(read_phenotypes(write(tmp_path / "x.csv", rows)))


def test_impossible_values_become_missing(tmp_path: Path) -> None:
    rows = [{"subject": str(i)} | HEART | {"age": 300 if i == 1 else 50} for i in range(3)]
    rows[0] |= {"lvedv_ml": -150, "rvef_pct": 250}
    table = read_phenotypes(write(tmp_path / "x.csv", rows))
    assert np.isnan([table.lvedv_ml[0], table.rvef_pct[0], table.age_years[1]]).all()
    assert sum(finding.code == "impossible_values" for finding in table.findings) == 3


@pytest.mark.parametrize("cell", ["", " ", "NA", "nan", "NULL", ".", "-"])
def test_missing_cells(tmp_path: Path, cell: str) -> None:
    rows = [{"subject": "1"} | HEART | {"lvm_g": cell}]
    table = read_phenotypes(write(tmp_path / "x.csv", rows))
    assert np.isnan(table.lvm_g[0])
    assert "not_numbers" not in codes(table)


@pytest.mark.parametrize("cell", ["abc", "1_0", "inf", "-inf", "1e999", "0x10", "12 mL"])
def test_cells_that_are_no_numbers_are_counted(tmp_path: Path, cell: str) -> None:
    rows = [{"subject": "1"} | HEART | {"lvm_g": cell}]
    table = read_phenotypes(write(tmp_path / "x.csv", rows))
    assert np.isnan(table.lvm_g[0])
    assert "not_numbers" in codes(table)
    assert not any(cell in finding.message for finding in table.findings)


def test_duplicates_keep_the_first(tmp_path: Path) -> None:
    rows = [{"subject": "1"} | HEART, {"subject": "1"} | HEART, {"subject": "1"} | HEART]
    rows[2] |= {"lvm_g": 99}
    table = read_phenotypes(write(tmp_path / "x.csv", rows))
    assert table.lvm_g.tolist() == [90.0]
    (finding,) = told(table)
    assert "2 rows" in finding.message
    assert "1 with other values" in finding.message


def test_rows_of_the_wrong_length_and_bad_subjects(tmp_path: Path) -> None:
    text = "subject,lvedv_ml\n1,150\n2\n3,150,9\n,150\n" + "x" * 100 + ",150\n\x1b[2J,150\n"
    (tmp_path / "x.csv").write_text(text)
    table = read_phenotypes(tmp_path / "x.csv")
    assert table.subject.tolist() == ["1"]
    assert {"rows_unreadable", "subjects_unusable"} <= codes(table)


def test_subjects_keep_zeros_and_lose_pandas_decimals(tmp_path: Path) -> None:
    rows = [{"eid": subject, "lvedv_ml": 150} for subject in ("0012", "12", "000")]
    assert read_phenotypes(write(tmp_path / "x.csv", rows)).subject.tolist() == [
        "0012",
        "12",
        "000",
    ]
    rows = [{"eid": subject, "lvedv_ml": 150} for subject in ("12.0", "13.0")]
    table = read_phenotypes(write(tmp_path / "y.csv", rows))
    assert table.subject.tolist() == ["12", "13"]
    assert "float_subjects" in codes(table)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["0", "1"], [None, None]),
        (["1", "2"], ["M", "F"]),
        (["Female", "MALE"], ["F", "M"]),
        (["1.0", ""], [None, None]),
        (["0", "2"], [None, "F"]),
    ],
)
def test_sex_codings(tmp_path: Path, cells: list[str], expected: list[str | None]) -> None:
    rows = [
        {"subject": str(index), "sex": cell, "lvedv_ml": 150} for index, cell in enumerate(cells)
    ]
    assert read_phenotypes(write(tmp_path / "x.csv", rows)).sex.tolist() == expected


def test_covariates_alone(tmp_path: Path) -> None:
    rows = [{"eid": "1", "31-0.0": "0", "21003-2.0": "60", "21003-3.0": ""}]
    table = read_phenotypes(write(tmp_path / "x.csv", rows))
    assert table.visit.tolist() == ["2"]
    assert (table.age_years[0], table.sex[0]) == (60, "F")
    assert "phenotypes_absent" in codes(table)


def test_other_fields_arrays_and_instances_are_left_alone() -> None:
    for name in ("24110-2.0", "24100-2.1", "heart_rate (bpm)", "WT_Global (mm)", "n"):
        assert find_meaning(name) is None
    for name in ("Ecc_Global (%)", "LAV max (mL)"):
        assert find_meaning(name) is None
    change = find_meaning("lvedv_change_ml_per_year")
    assert change is not None
    assert change.quantity == "unclear"  # named in a finding, never used


def test_a_wide_table_is_read_by_its_few_columns(tmp_path: Path) -> None:
    names = ["eid", *(f"{field}-0.0" for field in range(30000, 33000)), "24100-2.0"]
    with (tmp_path / "x.csv").open("w") as stream:
        stream.write(",".join(names) + "\n")
        for row in range(50):
            stream.write(f"{row:07d}," + "," * 3000 + "150\n")
    table = read_phenotypes(tmp_path / "x.csv")
    assert len(table) == 50
    assert table.subject[7] == "0000007"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"hello",
        b"a,b,c\n1,2,3\n",
        b"subject,height_of_tree\n1,2\n",
        b"lvedv_ml,lvesv_ml\n1,2\n",
        b"PK\x03\x04" + bytes(100),
        b"PAR1" + bytes(100),
        b"\xd0\xcf\x11\xe0" + bytes(100),
        bytes(1000),
        b"\x1f\x8b" + bytes(50),
        b'"subject,lvedv_ml\n1,150\n',
        b"\xff\xfe\x00",
    ],
)
def test_other_files_are_refused_in_words(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    with pytest.raises((UnreadableFileError, UnsupportedFormatError)) as caught:
        read_phenotypes(path)
    assert "\n" not in str(caught.value)


def test_header_only_is_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("subject,lvedv_ml\n")
    table = read_phenotypes(tmp_path / "x.csv")
    assert len(table) == 0
    assert table.phenotypes.shape == (0, 10)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="no such file"):
        read_phenotypes(tmp_path / "x.csv")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tail=st.binary(max_size=200))
def test_fuzz(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"subject,lvedv_ml,sex\n1,150,F\n" + tail)
    try:
        table = read_phenotypes(path)
    except RecordError as error:
        assert "\n" not in str(error)
    else:
        assert table.subject.shape == table.lvedv_ml.shape == table.sex.shape
