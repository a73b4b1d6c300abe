"""Habits of exports and desktops that nobody's layout names: who is who, and what stays unknown."""

import random
import shutil

import pytest

from ptacl_core.ingest.sources import Sources, read_plan
from tests.unit.ingest.tree_checks import load_trees

TREES = load_trees()


def build(root, *places: str, ecg: str = "ecg.xml", cine: str = "dicom") -> None:
    """An ECG and a cine without identifiers at each place."""
    for number, place in enumerate(places):
        path = root / place / ecg.replace("@", place)
        folder = root / place / cine.replace("@", place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(TREES.ecg_head(random.Random(number), "", 1))
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("1.dcm", "2.dcm"):
            (folder / name).write_bytes(TREES.dicom_head("", f"1.2.{number}", 1))


def people(root) -> dict[str, int]:
    """Pairs by person."""
    plan = read_plan(Sources((root,)))
    subjects = [visit.subject for visit in plan.visits if visit.is_pair]
    return {subject: subjects.count(subject) for subject in subjects}


@pytest.mark.parametrize(
    "places",
    [
        ("19500304", "19610708", "19720101"),
        ("2001", "2002", "2003"),
        ("T1", "T2", "T3"),
        ("04.03.1950", "08.07.1961"),
    ],
)
def test_dates_and_codes_are_visits_only_of_a_source_that_is_somebody(tmp_path, places):
    """People by birth date, number or code look like the visits of one person."""
    build(tmp_path / "study", *places)
    plan = read_plan(Sources((tmp_path / "study",)))
    assert plan.visits == []
    assert plan.count_reasons() == {"identity_unknown": 2 * len(places)}
    build(tmp_path / "H100", "20190504", "20210911")
    assert people(tmp_path / "H100") == {"H100": 2}


@pytest.mark.parametrize(
    ("places", "ecg", "cine", "expected"),
    [
        (("01-001", "02-001"), "ecg.xml", "dicom", ["01-001", "02-001"]),
        (("SUBJ01", "SUBJ02"), "@_ECG1/RESOURCES/raw/ecg.xml", "@_MR1/SCANS/5/DICOM",
         ["SUBJ01", "SUBJ02"]),
        (("Doe John - 100", "Roe Jane - 101"), "ecg.xml", "Cardiac MR - 1/cine_sax - 5",
         ["Doe_John_100", "Roe_Jane_101"]),
        (("F12A", "F12B"), "ecg.xml", "cine", ["F12A", "F12B"]),
        (("M01", "W01"), "rest.xml", "sax", ["M01", "W01"]),
        (("Patient (1)", "Patient (2)"), "ecg.xml", "dicom", ["1", "2"]),
    ],
)  # fmt: skip
def test_exports_of_other_software_name_their_people(tmp_path, places, ecg, cine, expected):
    build(tmp_path / "source", *places, ecg=ecg, cine=cine)
    assert people(tmp_path / "source") == dict.fromkeys(expected, 1)


def test_a_rescan_is_a_visit_of_the_same_person(tmp_path):
    build(tmp_path / "source", "H100", "H100_rescan", "H200", "H200_retest")
    assert people(tmp_path / "source") == {"H100": 2, "H200": 2}


def test_copies_that_a_desktop_makes_count_once_and_other_files_do_not(tmp_path):
    build(tmp_path / "source", "H100", "H200")
    folder = tmp_path / "source" / "H100"
    for name in ("ecg (1).xml", "ecg - Kopie.xml", "Copy of ecg.xml", "ecg copy 2.xml"):
        shutil.copy(folder / "ecg.xml", folder / name)
    (folder / "ecg (7).xml").write_bytes(TREES.ecg_head(random.Random(9), "", 3))
    plan = read_plan(Sources((tmp_path / "source",)))
    assert people(tmp_path / "source") == {"H100": 1, "H200": 1}
    assert sorted(visit.ecg.path.name for visit in plan.visits if visit.ecg) == [
        "ecg (7).xml", "ecg.xml", "ecg.xml"]  # fmt: skip
    assert sum(file.reason == "copy" for file in plan.unused) == 4
    assert plan.count()["recordings_left_out"] == 0


def test_downloads_that_a_browser_numbered_are_not_one_person(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    for number, name in enumerate(("ecg", "ecg (1)", "ecg (2)")):
        (folder / f"{name}.xml").write_bytes(TREES.ecg_head(random.Random(0), "", number))
    plan = read_plan(Sources((folder,)))
    assert plan.visits == []
    assert plan.count()["recordings_left_out"] == 3


@pytest.mark.parametrize(
    ("ecgs", "cines"),
    [
        ("12 Lead ECGs", "Cardiac MRI (SAX)"),
        ("12-lead ECG", "CardiacMR"),
        ("12LeadECG", "CineStacks"),
        ("EKG 12 Ableitungen", "Herz MRT"),
    ],
)
def test_folders_of_a_kind_are_nobody(tmp_path, ecgs, cines):
    for number, person in enumerate(("H100", "H200")):
        (tmp_path / ecgs).mkdir(exist_ok=True)
        head = TREES.ecg_head(random.Random(number), "", 1)
        (tmp_path / ecgs / f"{person}.xml").write_bytes(head)
        (tmp_path / cines / person).mkdir(parents=True)
        (tmp_path / cines / person / "1.dcm").write_bytes(TREES.dicom_head("", f"1.{number}", 1))
    assert people(tmp_path) == {"H100": 1, "H200": 1}


def test_times_after_inclusion_are_visits(tmp_path):
    build(
        tmp_path / "s", *(f"{who}/{at}" for who in ("H100", "H200") for at in ("BL", "6mo", "12mo"))
    )
    assert people(tmp_path / "s") == {"H100": 3, "H200": 3}


def test_a_short_number_at_two_sites_is_two_people(tmp_path):
    for site in ("Berlin", "Oslo"):
        folder = tmp_path / site / "1001"
        (folder / "mr").mkdir(parents=True)
        (folder / "ecg.xml").write_bytes(TREES.ecg_head(random.Random(site), "1001", 1))
        (folder / "mr" / "1.dcm").write_bytes(TREES.dicom_head("1001", f"1.{len(site)}", 1))
    plan = read_plan(Sources((tmp_path,)))
    assert plan.visits == []
    assert plan.count_reasons() == {"identity_contradicts": 4}
    (tmp_path / "Oslo" / "1001" / "ecg.xml").unlink()  # one person, whose cines lie elsewhere
    shutil.rmtree(tmp_path / "Berlin" / "1001" / "mr")
    assert people(tmp_path) == {"1001": 1}


def test_an_export_that_comes_again_counts_once(tmp_path):
    folder = tmp_path / "export" / "old"
    (folder / "mr").mkdir(parents=True)
    (folder / "ecg.xml").write_bytes(TREES.ecg_head(random.Random(1), "H100", 1))
    (folder / "mr" / "1.dcm").write_bytes(TREES.dicom_head("H100", "1.2.3", 1))
    shutil.copytree(tmp_path / "export" / "old", tmp_path / "export" / "new")
    plan = read_plan(Sources((tmp_path / "export",)))
    assert [(v.subject, v.is_pair) for v in plan.visits] == [("H100", True)]
    assert [file.reason for file in plan.unused] == ["copy"]
