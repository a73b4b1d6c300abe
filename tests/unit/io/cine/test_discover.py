"""Folders and archives: every recording once, with its subject and visit, in a fixed order."""

import gzip
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ptacl_core.errors import UnreadableFileError
from ptacl_core.io.cine.read import read_cine
from ptacl_core.io.discover.names import parse_name
from ptacl_core.io.discover.walk import FoundFile, discover

XML = b"<?xml version='1.0' encoding='ISO-8859-1'?><CardiologyXML></CardiologyXML>"


def find(source: Path, **options) -> list[FoundFile]:
    return list(discover(source, **options))


def keys(files: list[FoundFile]) -> list[tuple[str, str, str, str]]:
    return [(file.modality, file.format, file.subject, file.visit) for file in files]


def series_files(dicom, study: str = "1.2.3", **options) -> dict[str, bytes]:
    images = dicom.series(**({"num_slices": 2, "num_frames": 2} | options)).build()
    for image in images:
        image.StudyInstanceUID = study
    return {f"{index:03d}.dcm": dicom.to_bytes(image) for index, image in enumerate(images)}


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def test_uk_biobank_bulk_names(dicom, tmp_path: Path) -> None:
    fill(
        tmp_path,
        {
            "1000017_20205_2_0.xml": XML,
            "1000017_20205_3_0.xml": XML,
            "1000025_20205_2.xml": XML,
            "1000017_6025_0_0.xml": XML,
        },
    )
    dicom.write_zip(tmp_path / "1000017_20209_2_0.zip", series_files(dicom))
    dicom.write_zip(tmp_path / "1000017_20208_2_0.zip", series_files(dicom))
    files = find(tmp_path)
    assert keys(files) == [
        ("ecg", "cardiosoft_xml", "1000017", "2"),
        ("ecg", "cardiosoft_xml", "1000017", "3"),
        ("unknown", "", "1000017", "2"),
        ("cmr", "dicom_zip", "1000017", "2"),
        ("unknown", "", "1000017", "0"),
        ("ecg", "cardiosoft_xml", "1000025", "2"),
    ]
    reasons = [file.reason for file in files if file.modality == "unknown"]
    assert "long-axis" in reasons[0]
    assert "exercise" in reasons[1]


@pytest.mark.parametrize(
    ("name", "subject", "visit", "modality"),
    [
        ("1000017_20205_2_0.xml", "1000017", "2", "ecg"),
        ("1000017_20205_3.xml", "1000017", "3", "ecg"),
        ("S0001_20209_2_0.zip", "S0001", "2", "cmr"),
        ("1000017_20209_2_0", "1000017", "2", "cmr"),
        ("00123.xml", "00123", "", None),
        ("p.12.csv.gz", "p.12", "", None),
        ("patient/ecg.xml", "patient", "", None),
        ("1000017_20209_2_0/dicom", "1000017", "2", "cmr"),
        ("EID/sa.nii.gz", "EID", "", None),
        ("ecg.xml", "ecg", "", None),
        ("case_20209_2_0_extra.zip", "case_20209_2_0_extra", "", None),
    ],
)
def test_names(name: str, subject: str, visit: str, modality: str | None) -> None:
    parsed = parse_name(Path(name))
    assert (parsed.subject, parsed.visit, parsed.modality) == (subject, visit, modality)


def test_folder_of_dicom_is_one_cine(dicom, tmp_path: Path) -> None:
    fill(tmp_path / "P1", series_files(dicom) | {"manifest.csv": b"a,b"})
    fill(tmp_path / "P2", series_files(dicom, study="1.2.4"))
    files = find(tmp_path)
    assert keys(files) == [("cmr", "dicom", "P1", ""), ("cmr", "dicom", "P2", "")]
    assert [file.path for file in files] == [tmp_path / "P1", tmp_path / "P2"]
    assert read_cine(files[0].path).frames.shape[:2] == (2, 2)


def test_series_folders_of_one_study_are_one_cine(dicom, tmp_path: Path) -> None:
    files = series_files(dicom)
    for index, (name, data) in enumerate(files.items()):
        fill(tmp_path / "P1" / "dicom" / f"series{index // 2}", {name: data})
    fill(tmp_path / "P1", {"ecg.xml": XML})
    fill(tmp_path / "P2", {"ecg.xml": XML})
    recordings = find(tmp_path)
    assert keys(recordings) == [
        ("ecg", "cardiosoft_xml", "P1", ""),
        ("cmr", "dicom", "P1", ""),
        ("ecg", "cardiosoft_xml", "P2", ""),
    ]
    assert recordings[1].path == tmp_path / "P1" / "dicom"


def test_the_source_itself_may_be_the_cine(dicom, tmp_path: Path) -> None:
    folder = fill(tmp_path / "P9", series_files(dicom))
    assert keys(find(folder)) == [("cmr", "dicom", "P9", "")]
    zipped = dicom.write_zip(tmp_path / "P8.zip", series_files(dicom))
    (cine,) = find(zipped)
    assert (cine.path, cine.format, cine.subject) == (zipped, "dicom_zip", "P8")


def test_series_zips_of_one_study_are_one_cine(dicom, tmp_path: Path) -> None:
    files = series_files(dicom)
    names = sorted(files)
    (tmp_path / "P1").mkdir()
    for part in range(2):
        dicom.write_zip(
            tmp_path / "P1" / f"s{part}.zip", {name: files[name] for name in names[part::2]}
        )
    dicom.write_zip(tmp_path / "P2.zip", series_files(dicom, study="1.2.9"))
    recordings = find(tmp_path)
    assert keys(recordings) == [("cmr", "dicom_zip", "P2", ""), ("cmr", "dicom", "P1", "")]
    assert read_cine(recordings[1].path).frames.shape[:2] == (2, 2)


def test_zips_of_several_patients_stay_apart(dicom, tmp_path: Path) -> None:
    for index in range(3):
        dicom.write_zip(tmp_path / f"P{index}.zip", series_files(dicom, study=f"1.2.{index}"))
    assert keys(find(tmp_path)) == [("cmr", "dicom_zip", f"P{index}", "") for index in range(3)]


def test_an_archive_of_recordings_is_unpacked(dicom, tmp_path: Path) -> None:
    cine = dicom.write_zip(tmp_path / "inner.zip", series_files(dicom)).read_bytes()
    outer = dicom.write_zip(
        tmp_path / "export.zip",
        {
            "data/1000017_20205_2_0.xml": XML,
            "data/1000017_20209_2_0.zip": cine,
            "data/P1/ecg.xml": XML,
            "data/P1/cine/" + "x.dcm": next(iter(series_files(dicom).values())),
            "data/notes.txt": b"hello",
            "data/weird \x01 name.xml": XML,
            "data/Ærø.xml": XML,
        },
    )
    scratch = tmp_path / "scratch"
    files = find(outer, scratch=scratch)
    assert keys(files) == [
        ("ecg", "cardiosoft_xml", "file-000001", ""),  # its name stays inside the archive
        ("ecg", "cardiosoft_xml", "1000017", "2"),
        ("cmr", "dicom_zip", "1000017", "2"),
        ("unknown", "", "notes", ""),
        ("ecg", "cardiosoft_xml", "Ærø", ""),
        ("ecg", "cardiosoft_xml", "P1", ""),
        ("cmr", "dicom", "P1", ""),
    ]
    for file in files:
        assert file.path.exists()
        assert scratch in file.path.parents
    cines = [file for file in files if file.format == "dicom_zip"]
    assert read_cine(cines[0].path).frames.shape[:2] == (2, 2)


def test_one_scratch_folder_serves_many_walks(dicom, tmp_path: Path) -> None:
    path = dicom.write_zip(tmp_path / "x.zip", {"a.xml": XML})
    first, second = (find(path, scratch=tmp_path / "scratch")[0] for _ in range(2))
    assert first.path != second.path
    assert first.path.read_bytes() == second.path.read_bytes()


def test_unpacked_files_stay_until_the_process_ends(dicom, tmp_path: Path) -> None:
    path = dicom.write_zip(tmp_path / "x.zip", {"a.xml": XML})
    code = (
        "import sys; from ptacl_core.io.discover.walk import discover; "
        "found = list(discover(sys.argv[1])); "
        "print(found[0].path); assert found[0].path.is_file()"
    )
    finished = subprocess.run(
        [sys.executable, "-P", "-c", code, path], capture_output=True, text=True, check=True
    )
    assert not Path(finished.stdout.strip()).exists()


def test_wfdb_records_come_once(tmp_path: Path) -> None:
    fill(
        tmp_path,
        {
            "r1.hea": b"r1 12 500 5000\n" + b"r1.dat 16 1000/mV 16 0 0 0 0 I\n" * 12,
            "r1.dat": bytes(120),
            "orphan.dat": bytes(120),
        },
    )
    files = find(tmp_path)
    assert [(file.path.name, file.modality) for file in files] == [
        ("orphan.dat", "unknown"),
        ("r1.hea", "ecg"),
    ]


def test_wfdb_in_an_archive_keeps_its_signal_file(dicom, tmp_path: Path) -> None:
    path = dicom.write_zip(
        tmp_path / "x.zip",
        {
            "a/r1.hea": b"r1 12 500 5000\n" + b"r1.dat 16 1000/mV 16 0 0 0 0 I\n" * 12,
            "a/r1.dat": bytes(120),
        },
    )
    (recording,) = find(path, scratch=tmp_path / "scratch")
    assert recording.path.with_name("r1.dat").is_file()


def test_nifti_as_ukbb_cardiac_writes_it(cmr_data: Path, tmp_path: Path) -> None:
    data = (cmr_data / "SCD0000201_sax_midslice_10frames.nii.gz").read_bytes()
    names = ("sa", "seg_sa", "la_2ch", "sa_ED", "seg_la_2ch")
    fill(tmp_path / "1000017", {f"{name}.nii.gz": data for name in names})
    fill(tmp_path, {"P7.nii.gz": data})
    files = find(tmp_path)
    assert [(file.path.name, file.modality, file.subject) for file in files] == [
        ("P7.nii.gz", "cmr", "P7"),
        ("la_2ch.nii.gz", "unknown", "la_2ch"),
        ("sa.nii.gz", "cmr", "1000017"),
        ("sa_ED.nii.gz", "unknown", "sa_ED"),
    ]


def test_slices_in_files_of_their_own_are_one_cine_and_people_are_not(tmp_path: Path) -> None:
    import nibabel as nib

    image = nib.Nifti1Image(np.zeros((8, 8, 1, 5), np.int16), np.eye(4))
    for folder, names in (("H1", ("sax_b1", "sax_b2", "sax_b3")), ("all", ("P1", "P2", "P3"))):
        (tmp_path / folder).mkdir()
        for name in names:
            nib.save(image, tmp_path / folder / f"{name}.nii.gz")
    files = find(tmp_path)
    assert [(file.path.name, file.subject) for file in files] == [
        ("H1", "H1"),
        *((f"P{n}.nii.gz", f"P{n}") for n in (1, 2, 3)),
    ]


def test_arrays_by_their_sidecars(tmp_path: Path) -> None:
    for name in ("cmr1", "ecg1", "none"):
        np.save(tmp_path / f"{name}.npy", np.zeros((2, 3, 4, 5)))
    (tmp_path / "cmr1.json").write_text(json.dumps({"axes": "ZTYX", "spacing_mm": [1, 1]}))
    (tmp_path / "ecg1.json").write_text(json.dumps({"lead_names": ["I"], "sampling_rate_hz": 500}))
    (tmp_path / "lonely.json").write_text("{}")
    files = {file.subject: file for file in find(tmp_path)}
    assert {name: file.modality for name, file in files.items()} == {
        "cmr1": "cmr",
        "ecg1": "ecg",
        "none": "unknown",
        "lonely": "unknown",
    }
    assert "axes" in files["none"].reason


def test_tables(tmp_path: Path) -> None:
    fill(
        tmp_path,
        {
            "a.csv": b"eid,24100-2.0\n1,150\n",
            "b.csv.gz": gzip.compress(b"subject,lvedv_ml\n1,150\n"),
            "c.csv": b"subject,ecg_path,cmr_path\n1,a,b\n",
            "d.csv": b"I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6\n" + b"0," * 11 + b"0\n",
            "e.csv": b"name,colour\nx,red\n",
            "f.txt": b"just words",
        },
    )
    files = find(tmp_path)
    assert [(file.modality, file.format) for file in files] == [
        ("phenotypes", "csv"),
        ("phenotypes", "csv"),
        ("pairs", "csv"),
        ("ecg", "csv"),
        ("unknown", ""),
        ("unknown", ""),
    ]


def test_every_useless_file_has_a_reason(dicom, tmp_path: Path) -> None:
    fill(
        tmp_path,
        {
            "empty.xml": b"",
            "noise.dcm": b"\x00\x01\x02" * 100,
            "page.pdf": b"%PDF-1.4 abc",
            "bad.zip": b"PK\x03\x04" + bytes(50),
            "1000017_20209_2_0.zip": b"not a zip at all, really",
            "slip.zip": dicom.write_zip(tmp_path / "t", {"../x": b"1"}).read_bytes(),
            "ct.dcm": bytes(128) + b"DICM" + b"\x02\x00\x02\x00UI\x1a\x00"
            b"1.2.840.10008.5.1.4.1.1.2\x00",
            ".hidden": b"x",
        },
    )
    (tmp_path / "t").unlink()
    (tmp_path / "link").symlink_to(tmp_path)
    files = find(tmp_path)
    assert len(files) == 8
    for file in files:
        assert file.modality == "unknown"
        assert len(file.reason) > 15
        assert "\n" not in file.reason
        assert "1000017" not in file.reason


def test_order_is_that_of_names(tmp_path: Path) -> None:
    for name in ("b/2.xml", "a/9.xml", "c.xml", "b/1.xml", "a.xml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(XML)
    order = [str(file.path.relative_to(tmp_path)) for file in find(tmp_path)]
    assert order == ["a.xml", "c.xml", "a/9.xml", "b/1.xml", "b/2.xml"]


def test_it_streams(tmp_path: Path) -> None:
    for index in range(5):
        (tmp_path / f"{index}.xml").write_bytes(XML)
    walk = discover(tmp_path)
    assert next(walk).subject == "0"
    (tmp_path / "2.xml").write_bytes(b"")
    assert [file.modality for file in walk] == ["ecg", "unknown", "ecg", "ecg"]


def test_missing_source(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="no such file"):
        discover(tmp_path / "nothing")


def test_archives_within_archives_end(tmp_path: Path) -> None:
    data = b"<CardiologyXML/>"
    for level in range(6):
        path = tmp_path / f"{level}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.zip" if level else "x.xml", data)
        data = path.read_bytes()
    (recording,) = find(tmp_path / "5.zip", scratch=tmp_path / "scratch")
    assert "nested deeper" in recording.reason


def test_what_the_simulator_writes_about_itself_is_no_recording(tmp_path: Path) -> None:
    papers = {"generation.json": b"[]", "card.json": b"{}", "card.md": b"# A cohort\n"}
    fill(tmp_path / "simulated", {**papers, "simulation.json": b"{}"})
    fill(tmp_path / "others", papers)
    assert find(tmp_path / "simulated") == []
    assert {file.modality for file in find(tmp_path / "others")} == {"unknown"}
