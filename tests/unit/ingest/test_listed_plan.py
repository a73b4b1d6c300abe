"""Lists of pairs: any delimiter, several ECGs a person, lines that a plan could not place."""

import pytest

from ptacl_core.errors import RecordError
from ptacl_core.ingest.labels import read_tables
from ptacl_core.ingest.pairs import group_by_patient, read_pair_rows
from ptacl_core.ingest.parts import share_out
from ptacl_core.ingest.plan_table import write_plan
from ptacl_core.ingest.sources import Sources, read_plan
from ptacl_core.ingest.visits import build_tasks
from ptacl_core.io.layouts.model import find_layout
from ptacl_core.shards.spec import EVERY_VISIT, build_manifest_schema
from tests.unit.ingest.tree_checks import load_trees

trees = load_trees()


@pytest.fixture
def source(tmp_path):
    import random

    draw = random.Random(0)
    folder = tmp_path / "source"
    for visit, name in enumerate(("a", "b", "c")):
        path = folder / "muse" / f"{name}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(trees.ecg_head(draw, "", visit))
    cine = folder / "cmr" / "304060755859"
    cine.mkdir(parents=True)
    (cine / "1.dcm").write_bytes(trees.dicom_head("", "1.2.3", 1))
    return folder


def planned(source, text: str, tmp_path):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(text)
    return read_plan(Sources((source,), pairs=pairs))


def cells(plan) -> list[tuple]:
    return [
        (v.subject, v.number, v.ecg and v.ecg.path.stem, v.cmr and v.cmr.path.name)
        for v in plan.visits
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_any_delimiter(source, tmp_path, delimiter):
    text = "patient,ecg,cmr\nH100,muse/a.xml,\n".replace(",", delimiter)
    assert cells(planned(source, text, tmp_path)) == [("H100", 0, "a", None)]


def test_three_ecgs_and_one_cine_are_paired_by_time(source, tmp_path):
    lines = "".join(f"H100,muse/{name}.xml,cmr/304060755859\n" for name in "abc")
    assert cells(planned(source, f"patient,ecg,cmr\n{lines}", tmp_path)) == [
        ("H100", 0, "a", None),
        ("H100", 1, "b", "304060755859"),  # of the same day as the cine
        ("H100", 2, "c", None),
    ]


def test_lines_without_a_patient_are_left_out_and_counted(source, tmp_path):
    text = "patient,visit,ecg,cmr\nH100,2,muse/a.xml,\n,,muse/b.xml,\n"
    plan = planned(source, text, tmp_path)
    assert cells(plan) == [("H100", 2, "a", None)]
    assert plan.count()["recordings_left_out"] == 1


def test_a_visit_that_comes_twice_and_missing_columns_are_refused(source, tmp_path):
    with pytest.raises(RecordError, match="came before"):
        planned(source, "patient,visit,ecg,cmr\nA,1,muse/a.xml,\nA,1,muse/b.xml,\n", tmp_path)
    with pytest.raises(RecordError, match="missing: cmr"):
        planned(source, "patient,ecg\nA,muse/a.xml\n", tmp_path)


def test_one_recording_of_an_archive_is_named_by_its_place(source, tmp_path):
    import shutil

    shutil.make_archive(str(tmp_path / "export"), "zip", source.parent, "source")
    archive = tmp_path / "export.zip"
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("patient,ecg,cmr\nH100,source/muse/a.xml,\n")
    plan = read_plan(Sources((archive,), pairs=pairs))
    (visit,) = plan.visits
    assert visit.ecg is not None
    assert visit.ecg.path.read_bytes() == (source / "muse" / "a.xml").read_bytes()


def test_rows_of_tables_lie_over_visits(tmp_path):
    import pyarrow as pa

    from ptacl_core.shards.merging import merge_rows

    def row(patient, visit, sequence, **values):
        return {
            "patient": patient,
            "visit": visit,
            "split": "train",
            "sequence": sequence,
            **values,
        }

    schema = build_manifest_schema().append(pa.field("sequence", pa.int64()))
    table = pa.Table.from_pylist(
        [
            row("p1", 2, 1, shard="s", ecg_row=0),
            row("p1", 3, 1, shard="s", ecg_row=1),
            row("p2", 0, 1, shard="s", ecg_row=2),
            row("p1", EVERY_VISIT, 2, lvef_pct=60.0, sex="F"),
            row("p1", 3, 3, lvef_pct=50.0),
            row("p2", 2, 3, lvef_pct=40.0),  # the table's only visit, the person's only visit
            row("p9", 2, 3, lvef_pct=30.0),  # nobody's yet
        ],
        schema=schema,
    )
    merged = merge_rows(table).to_pylist()
    assert [(r["patient"], r["visit"], r["lvef_pct"], r["sex"]) for r in merged] == [
        ("p1", 2, 60.0, "F"),
        ("p1", 3, 50.0, "F"),
        ("p2", 0, 40.0, None),
    ]


def test_nobody_on_two_sides_is_proved_by_verify(tmp_path):
    from ptacl_core.config.preprocess import PreprocessSettings
    from ptacl_core.shards import ShardWriter
    from ptacl_core.shards.verification import verify_shards

    for number, split in enumerate(("train", "test")):
        writer = ShardWriter(
            tmp_path / "shards", preprocessing=PreprocessSettings(), prefix=f"{number}-"
        )
        writer.add_labels("p1", 2, split, {"lvef_pct": 60.0})
        writer.finish()
        codes = {defect.code for defect in verify_shards(tmp_path / "shards")}
        assert ("person_on_two_sides" in codes) == (number == 1)


def test_a_file_that_is_two_peoples_is_refused(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("Patient ID;EKG file;MRT folder\n17;a.xml;c\n18;./a.xml;d\n")
    with pytest.raises(RecordError, match=r"line 3: this ECG is another patient's in .* line 2"):
        group_by_patient(read_pair_rows(path))


@pytest.fixture
def wards(tmp_path):
    """Two people's recordings below folders, and one ECG of a name of its own."""
    import random

    folder = tmp_path / "wards"
    for number, person in enumerate(("H100", "H200")):
        path = folder / person / "rest.xml"
        path.parent.mkdir(parents=True)
        path.write_bytes(trees.ecg_head(random.Random(number), "", 1))
        (folder / person / "dicom").mkdir()
        (folder / person / "dicom" / "1.dcm").write_bytes(trees.dicom_head("", f"1.{number}", 1))
    (folder / "H100" / "a_17.xml").write_bytes(trees.ecg_head(random.Random(7), "", 2))
    return folder


@pytest.mark.parametrize(
    ("cell", "path"),
    [
        ("a_17.xml", "H100/a_17.xml"),
        ("a_17", "H100/a_17.xml"),
        ("H100/A_17", "H100/a_17.xml"),
        ("H200\\rest.xml", "H200/rest.xml"),
        ("C:\\data\\H200\\rest.xml", "H200/rest.xml"),
        ("/mnt/store/H200/rest.xml", "H200/rest.xml"),
        ("file:///mnt/H200/REST.XML", "H200/rest.xml"),
        ("./H200//rest.xml", "H200/rest.xml"),
        ("H300/rest.xml", "H300/rest.xml"),  # missing: nobody else's is taken for it
        ("C:\\data\\H300\\rest.xml", "data/H300/rest.xml"),
        ("H200/none.xml", "H200/none.xml"),
    ],
)
def test_cells_are_paths_as_people_and_other_machines_write_them(wards, tmp_path, cell, path):
    plan = planned(wards, f"patient;ecg;cmr\nP1;{cell};\n", tmp_path)
    (visit,) = plan.visits
    assert visit.ecg is not None
    assert visit.ecg.path == wards / path


def test_a_name_that_several_files_have_or_two_people_share_is_refused(wards, tmp_path):
    with pytest.raises(RecordError, match=r"line 2: 2 files end as 'rest\.xml'"):
        planned(wards, "patient,ecg,cmr\nP1,rest.xml,\n", tmp_path)
    with pytest.raises(RecordError, match=r"line 3: this ECG is another patient's in .* line 2"):
        planned(wards, "patient,ecg,cmr\nP1,a_17.xml,\nP2,H100/a_17.xml,\n", tmp_path)


def test_an_only_file_of_a_name_answers_for_no_other_folder(wards, tmp_path):
    (wards / "H200" / "rest.xml").unlink()
    plan = planned(wards, "patient,ecg,cmr\nP3,/mnt/H300/rest.xml,\n", tmp_path)
    (visit,) = plan.visits
    assert visit.ecg is not None
    assert not visit.ecg.path.exists()


def make_batch(root):
    """CODE-15: three ECGs of two people in one file, age and sex in a table."""
    import h5py
    import numpy as np

    root.mkdir()
    with h5py.File(root / "exams_part0.hdf5", "w") as file:
        file["exam_id"] = np.array([11, 12, 13])
        file["tracings"] = np.zeros((3, 100, 12), np.float32)
    (root / "exams.csv").write_text(
        "exam_id,age,is_male,patient_id\n11,50,True,7\n12,61,False,7\n13,70,True,8\n"
    )


def make_stated_frames(root):
    """M&Ms: end-diastole and end-systole in a table, and a withdrawal list beside."""
    import nibabel as nib
    import numpy as np

    for code in ("A0S9V9", "A1D0Q7"):
        folder = root / "Training" / code
        folder.mkdir(parents=True)
        nib.save(
            nib.Nifti1Image(np.zeros((4, 4, 2, 30), np.int16), np.eye(4)),
            folder / f"{code}_sa.nii.gz",
        )
    (root / "Dataset_information.csv").write_text(
        "External code,ED,ES,Age,Sex\nA0S9V9,0,8,51,F\nA1D0Q7,24,9,33,M\n"
    )


def make_platform(root):
    """UK Biobank's files, a table and a withdrawal list."""
    import random

    for number in (9000001, 9000002, 9000003):
        path = root / "ECG" / f"{number}_20205_2_0.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(trees.ecg_head(random.Random(number), "", 1))
    (root / "table.csv").write_text("eid,24103-2.0\n9000001,60\n9000002,55\n9000003,50\n")
    (root / "w12345_20250101.csv").write_text("9000003\n")


def describe(plan, root):
    people = sorted(
        (v.subject, v.number, [(r.path.relative_to(root), r.hints) for r in v.recordings])
        for v in plan.visits
    )
    tables = read_tables(plan.tables, plan.set_tables, withdrawn=plan.withdrawn)
    labels = [(t.name, [(label.subject, dict(label.values)) for label in t.labels]) for t in tables]
    return people, labels, plan.withdrawn


@pytest.mark.parametrize("make", [make_batch, make_stated_frames, make_platform])
def test_a_plan_given_back_says_all_that_the_walk_said(make, tmp_path, monkeypatch):
    root, plan_file = tmp_path / "source", tmp_path / "plan.csv"
    make(root)
    walked = read_plan(Sources((root,)))
    assert walked.visits
    write_plan(walked, plan_file)
    monkeypatch.setattr("ptacl_core.ingest.sources._walk", None)  # nothing is walked again
    listed = read_plan(Sources((root,), pairs=plan_file))
    assert describe(listed, root) == describe(walked, root)
    assert all(visit.num_bytes > 0 for visit in listed.visits)


def test_parts_are_balanced_by_the_bytes_of_the_plan(source, tmp_path):
    lines = "H0,0,muse/a.xml,,9\nH1,0,muse/b.xml,,5\nH2,0,muse/c.xml,,4\n"
    plan = planned(source, f"patient,visit,ecg,cmr,bytes\n{lines}", tmp_path)
    patients = {visit.subject: visit.subject for visit in plan.visits}
    assert share_out(build_tasks(plan, patients), 2) == {"H0": 0, "H1": 1, "H2": 1}


def test_tables_of_a_layout_file_of_ones_own_come_back_with_it(tmp_path):
    root, plan_file, own = tmp_path / "source", tmp_path / "plan.csv", tmp_path / "own.toml"
    make_platform(root)
    (root / "people.csv").write_text("who;years\n9000001;61\n")
    own.write_text(
        'name = "own"\ntitle = "An invented set"\n[[recordings]]\n'
        "path = '(?P<subject>\\d+)_20205_2_0\\.xml'\nmodality = \"ecg\"\n[[tables]]\n"
        'path = \'people\\.csv\'\nsubject = "who"\ncolumns = { years = "age_years" }\n'
    )
    layout = find_layout(str(own))
    walked = read_plan(Sources((root,), layout=layout))
    write_plan(walked, plan_file)
    listed = read_plan(Sources((root,), pairs=plan_file, layout=layout))
    assert describe(listed, root) == describe(walked, root)
    with pytest.raises(RecordError, match="give the layout's file with --layout"):
        read_plan(Sources((root,), pairs=plan_file))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("A,muse/a.xml,,{oops,", "line 2: expected in the column hints"),
        ('A,muse/a.xml,,"{""ecg"": 3}",', "line 2: expected in the column hints"),
        (",,,,gone.csv", "line 2: the table 'gone.csv' is not there"),
    ],
)
def test_a_plan_that_was_edited_amiss_is_refused(source, tmp_path, line, message):
    with pytest.raises(RecordError, match=message):
        planned(source, f"patient,ecg,cmr,hints,table\n{line}\n", tmp_path)


def test_examinations_in_one_folder_are_told_apart_in_the_plan(tmp_path):
    root, plan_file = tmp_path / "dump", tmp_path / "plan.csv"
    root.mkdir()
    for number, person in enumerate(("H100", "H200", "")):
        for image in range(2):
            head = trees.dicom_head(person, f"1.9.{number}", 1)
            (root / f"IM{number}{image}.dcm").write_bytes(head)
    write_plan(read_plan(Sources((root,))), plan_file)
    text = plan_file.read_text()
    plan_file.write_text(text.replace(",,,IM20.dcm", "H300,0,,IM20.dcm"))  # a person fills it in
    plan = read_plan(Sources((root,), pairs=plan_file))
    images = {
        visit.subject: [file.resolve().name for file in sorted(visit.cmr.path.iterdir())]
        for visit in plan.visits
        if visit.cmr is not None
    }
    assert images == {f"H{n + 1}00": [f"IM{n}0.dcm", f"IM{n}1.dcm"] for n in range(3)}


@pytest.mark.parametrize(
    "lists",
    [
        {"m.csv": "patient_id,file\nP1,a.xml\nP2,a.xml\nP2,b.xml\n"},
        {"m1.csv": "patient_id,file\nP1,a.xml\nP2,b.xml\n", "m2.csv": "subject,path\nP2,a.xml\n"},
    ],
)
def test_files_that_lists_give_to_two_people_are_left_out(source, lists):
    (source / "muse" / "c.xml").unlink()
    for name, text in lists.items():
        (source / "muse" / name).write_text(text)
    plan = read_plan(Sources((source / "muse",)))
    assert [(v.subject, v.ecg.path.name) for v in plan.visits if v.ecg] == [("P2", "b.xml")]
    assert plan.count_reasons()["identity_contradicts"] == 1


@pytest.mark.parametrize(
    ("one", "other", "subject"),
    [("007", "7", "007"), ("h100", "H-100", "h100"), ("17.0", "17", "17"), ("A_1", "a1", "A_1")],
)
def test_one_patient_in_two_spellings_is_one(source, tmp_path, one, other, subject):
    text = f"patient,visit,ecg,cmr\n{one},2.0,muse/a.xml,\n{other},3.0,muse/b.xml,\n"
    plan = planned(source, text, tmp_path)
    assert [(v.subject, v.number) for v in plan.visits] == [(subject, 2), (subject, 3)]


def test_one_person_has_one_side_and_words_for_nobody_are_nobody(source, tmp_path):
    text = (
        "patient,visit,ecg,cmr,split\nP1,1,muse/a.xml,,Training\nP1,2,muse/b.xml,,test\n"
        "unknown,1,muse/c.xml,,val\n"
    )
    plan = planned(source, text, tmp_path)
    assert [(v.subject, v.split) for v in plan.visits] == [("P1", ""), ("P1", "")]
    assert "puts 1 people on several sides" in plan.notes[0]
    assert plan.count_reasons() == {"identity_unknown": 1}
    plan = planned(source, "patient,ecg,cmr,split\nP1,muse/a.xml,,Validation\n", tmp_path)
    assert [visit.split for visit in plan.visits] == ["val"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("9.00E+06,muse/a.xml,,,,", "line 2: this patient was rounded"),
        ("P1,muse/a.xml,,holdout,,", "line 2: expected a split of train, val, test"),
        ("P1,muse/a.xml,,,nan,3", "line 2: a heart centre lies inside"),
        ("P1,muse/a.xml,,,-4,3", "line 2: a heart centre lies inside"),
        ("P1,muse/a.xml,,,,,more,cells", "1 lines have another number of cells"),
    ],
)
def test_lists_that_say_something_impossible_are_refused(source, tmp_path, line, message):
    header = "patient,ecg,cmr,split,centre_row,centre_column"
    with pytest.raises(RecordError, match=message):
        planned(source, f"{header}\n{line}\nP9,muse/b.xml,,,,\n", tmp_path)
