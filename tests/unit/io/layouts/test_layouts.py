"""Data sets by name: small trees laid out as each is distributed."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from ptacl_core.errors import ConfigError
from ptacl_core.ingest.labels import read_tables
from ptacl_core.ingest.make_plan import Discovery, make_plan
from ptacl_core.ingest.plan import Plan
from ptacl_core.io import discover
from ptacl_core.io.layouts.model import find_layout, load_layouts

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def put(path: Path, content: str | bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def put_record(path: Path) -> None:
    lines = [
        f"{path.name} 12 500 5000",
        *(f"{path.name}.dat 16 1000/mV 16 0 0 0 0 {n}" for n in LEADS),
    ]
    put(path.with_name(f"{path.name}.hea"), "\n".join(lines) + "\n")
    put(path.with_name(f"{path.name}.dat"), bytes(240))


def put_nifti(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 2, 3), np.int16), np.eye(4)), path)


def plan(root: Path, layout: str | None = None) -> Plan:
    chosen = find_layout(layout) if layout else None
    return make_plan(Discovery([list(discover(root))], layout=chosen))


def people(made: Plan) -> dict[str, int]:
    counts: dict[str, int] = {}
    for visit in made.visits:
        counts[visit.subject] = counts.get(visit.subject, 0) + 1
    return counts


def labels(made: Plan) -> dict[str, dict]:
    tables = read_tables(made.tables, made.set_tables)
    return {label.subject: dict(label.values) for table in tables for label in table.labels}


def make_ptb_xl(root: Path) -> Path:
    rows = ["ecg_id,patient_id,age,sex,recording_date,strat_fold,filename_lr,filename_hr"]
    for number, patient, fold, day in (
        (1, "15709.0", 3, "01"),
        (2, "15709.0", 3, "02"),
        (3, "88.0", 9, "01"),
    ):
        for rate, ending in ((100, "lr"), (500, "hr")):
            put_record(root / f"records{rate}/00000/{number:05d}_{ending}")
        places = [f"records{r}/00000/{number:05d}_{e}" for r, e in ((100, "lr"), (500, "hr"))]
        rows.append(f"{number},{patient},56.0,1,1984-11-{day} 09:17:34,{fold},{','.join(places)}")
    put(root / "ptbxl_database.csv", "\n".join(rows) + "\n")
    return root


def test_ptb_xl_takes_one_rate_and_keeps_people_together(tmp_path):
    made = plan(make_ptb_xl(tmp_path / "ptb"))
    assert made.layouts == ("ptb_xl",)
    assert people(made) == {"15709": 2, "88": 1}
    assert {visit.ecg.path.name for visit in made.visits if visit.ecg is not None} == {
        f"{n:05d}_hr.hea" for n in (1, 2, 3)
    }
    assert [file.reason for file in made.unused] == ["other_version"] * 3
    assert made.count()["recordings_left_out"] == 0
    assert {visit.subject: visit.split for visit in made.visits} == {"15709": "train", "88": "val"}
    assert labels(made)["15709"] == {"age_years": 56.0, "sex": "F"}  # PTB-XL codes 1 for women


def test_a_split_that_leaks_is_said_and_not_taken(tmp_path):
    root = make_ptb_xl(tmp_path / "ptb")
    table = root / "ptbxl_database.csv"
    place = "records100/00000/00002"
    table.write_text(table.read_text().replace(f",3,{place}", f",10,{place}"))
    made = plan(root)
    assert {visit.subject: visit.split for visit in made.visits} == {"15709": "", "88": "val"}
    assert any("puts 1 people on several sides" in note for note in made.notes)


def test_ptb_xl_without_its_table_is_nobodys(tmp_path):
    root = make_ptb_xl(tmp_path / "ptb")
    (root / "ptbxl_database.csv").unlink()
    made = plan(root)
    assert people(made) == {}
    assert made.count_reasons() == {"not_in_table": 6}


def test_mimic_iv_ecg(tmp_path):
    for place in ("p1000/p10001725/s41420867", "p1000/p10001725/s42512311", "p1000/p10002221/s43"):
        put_record(tmp_path / "files" / place / place.split("/s")[1])
    made = plan(tmp_path)
    assert people(made) == {"10001725": 2, "10002221": 1}
    assert {visit.number for visit in made.visits} == {0, 1}  # no study number is kept


def test_a_batch_of_code15_is_many_recordings(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "exams_part0.hdf5", "w") as file:
        file["exam_id"] = np.array([11, 12, 13, 14])
        file["tracings"] = np.zeros((4, 4096, 12), np.float32)
    put(
        tmp_path / "exams.csv",
        "exam_id,age,is_male,patient_id,trace_file\n11,50,True,7,exams_part0.hdf5\n"
        "12,61,False,7,exams_part0.hdf5\n13,70,True,8,exams_part0.hdf5\n",
    )
    made = plan(tmp_path)
    assert people(made) == {"7": 2, "8": 1}
    assert sorted(visit.ecg.hints["record_index"] for visit in made.visits if visit.ecg) == [
        0,
        1,
        2,
    ]
    assert made.count_reasons() == {"not_in_table": 1}
    assert labels(made)["8"] == {"age_years": 70.0, "sex": "M"}


def test_echonext_rows_of_a_split_are_its_recordings(tmp_path):
    np.save(tmp_path / "EchoNext_train_waveforms.npy", np.zeros((2, 1, 2500, 12), np.float32))
    np.save(tmp_path / "EchoNext_val_waveforms.npy", np.zeros((1, 1, 2500, 12), np.float32))
    table = put(
        tmp_path / "echonext_metadata_100k.csv",
        "ecg_key,patient_key,split,age_at_ecg,sex\n1,A,train,50,Male\n2,B,val,51,Female\n"
        "3,A,train,52,Male\n",
    )
    made = plan(tmp_path)
    assert people(made) == {"A": 2, "B": 1}
    assert {visit.subject: visit.split for visit in made.visits} == {"A": "train", "B": "val"}
    put(table, table.read_text() + "4,C,val,60,Male\n")
    assert plan(tmp_path).count_reasons() == {"not_in_table": 1}


def test_bids(tmp_path):
    for subject in ("01", "02"):
        for session in ("1", "2"):
            stem = f"sub-{subject}/ses-{session}"
            put_record(tmp_path / stem / "ecg" / f"sub-{subject}_ses-{session}_ecg")
            put_nifti(tmp_path / stem / "cmr" / f"sub-{subject}_ses-{session}_acq-sax_cine.nii.gz")
    made = plan(tmp_path)
    assert made.count()["pairs"] == 4
    assert people(made) == {"01": 2, "02": 2}
    assert {visit.number for visit in made.visits} == {1, 2}


def test_acdc_takes_the_cine_alone(tmp_path):
    for name in ("patient101_4d", "patient101_frame01", "patient101_frame01_gt"):
        put_nifti(tmp_path / "training" / "patient101" / f"{name}.nii.gz")
    put(tmp_path / "training" / "patient101" / "Info.cfg", "ED: 1\nES: 12\nNbFrame: 30\n")
    made = plan(tmp_path)
    assert people(made) == {"patient101": 1}
    assert made.visits[0].cmr is not None
    assert made.visits[0].cmr.path.name == "patient101_4d.nii.gz"


def test_mnms_joins_its_table(tmp_path):
    for name in ("A0S9V9_sa", "A0S9V9_sa_gt"):
        put_nifti(tmp_path / "Labeled" / "A0S9V9" / f"{name}.nii.gz")
    put(
        tmp_path / "211230_M&Ms_Dataset_information_diagnosis_opendataset.csv",
        ",External code,VendorName,ED,ES,Age,Sex,Height,Weight\n0,A0S9V9,Siemens,0,8,51,F,165,60\n",
    )
    made = plan(tmp_path)
    assert people(made) == {"A0S9V9": 1}
    assert made.visits[0].cmr is not None
    assert made.visits[0].cmr.hints == {"end_diastole": 0, "end_systole": 8}
    known = labels(made)["A0S9V9"]
    assert known == {"age_years": 51.0, "sex": "F", "height_cm": 165.0, "weight_kg": 60.0}


def test_uk_biobanks_withdrawal_list_is_heeded(tmp_path):
    for eid in ("9000001", "9000002"):
        put(tmp_path / "Bulk" / eid[-2:] / f"{eid}_20205_2_0.xml", "<CardiologyXML/>")
    put(tmp_path / "w12345_20250101.csv", "9000002\n")
    made = plan(tmp_path)
    assert people(made) == {"9000001": 1}
    assert any("withdrawal list" in note for note in made.notes)


def test_a_table_that_lists_files_decides(tmp_path):
    for name in ("scan_1", "scan_2", "scan_3"):
        put(tmp_path / "export" / f"{name}.xml", "<CardiologyXML/>")
    rows = "export/scan_1.xml,A\nexport/scan_2.xml,B\nexport/scan_3.xml,A\n"
    put(tmp_path / "list.csv", "path,patient_id\n" + rows)
    assert people(plan(tmp_path)) == {"A": 2, "B": 1}


NEW_SET = """
name = "heart_days"
title = "An invented data set"
recognise = ['day_\\\\d+/ID-\\\\d+_q\\\\.xml']

[[recordings]]
path = 'day_(?P<visit>\\\\d+)/ID-(?P<subject>\\\\d+)_q\\\\.xml'
modality = "ecg"
"""


def test_a_new_data_set_is_one_file(tmp_path):
    for place in ("day_1/ID-77_q.xml", "day_2/ID-77_q.xml", "day_1/ID-78_q.xml"):
        put(tmp_path / "set" / place, "<CardiologyXML/>")
    layout = put(tmp_path / "heart_days.toml", NEW_SET.replace("\\\\", "\\"))
    made = plan(tmp_path / "set", str(layout))
    assert people(made) == {"77": 2, "78": 1}
    assert sorted(visit.number for visit in made.visits) == [1, 1, 2]


def test_layouts_are_sound_and_their_names_are_told(tmp_path):
    known = load_layouts()
    assert set(known) >= {
        "uk_biobank", "bids", "ptb_xl", "mimic_iv_ecg", "code15", "echonext", "cpsc2018",
        "chapman", "acdc", "mnms", "mnms2", "dsb2015", "ml4h",
    }  # fmt: skip
    assert all(layout.recordings and layout.title for layout in known.values())
    with pytest.raises(ConfigError, match="ptb_xl"):
        find_layout("ptbxl")
    broken = put(tmp_path / "x.toml", 'name = "x"\ntitle = "x"\nrecordings = [{ path = "(" }]\n')
    with pytest.raises(ConfigError, match="not a layout"):
        find_layout(str(broken))
