"""The commands as a user types them: JSON documents, tables, exit statuses, error lines."""

import errno
import json
from pathlib import Path

import pytest

from ptacl_core.cli.output import run_guarded
from ptacl_core.records import PHENOTYPE_NAMES

SAMPLES = Path(__file__).resolve().parents[2] / "assets" / "samples"
pytestmark = pytest.mark.xdist_group("trained")


def test_simulate_reports_and_goes_on(ptacl, tmp_path):
    first = ptacl("simulate", tmp_path / "c", "--preset", "tiny", "--patients", 6, "--json")
    assert first.exit_code == 0
    document = json.loads(first.out)
    assert (document["num_patients"], document["preset"]) == (6, "tiny")
    again = ptacl("simulate", tmp_path / "c", "--preset", "tiny", "--patients", 6, "--json")
    assert again.exit_code == 0
    assert (tmp_path / "c" / "cohort.toml").exists()


def test_simulate_refuses_a_folder_of_other_things(ptacl, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    answer = ptacl("simulate", tmp_path, "--preset", "tiny", "--patients", 4)
    assert answer.exit_code == 2
    assert "expected an empty folder" in answer.err
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_simulate_refuses_other_settings_in_the_same_folder(ptacl, tmp_path):
    assert ptacl("simulate", tmp_path / "c", "--preset", "tiny", "--patients", 4).exit_code == 0
    answer = ptacl("simulate", tmp_path / "c", "--preset", "tiny", "--patients", 5)
    assert answer.exit_code == 2
    assert "other settings" in answer.err


def test_simulate_takes_any_knob_and_says_what_it_made(ptacl, tmp_path):
    answer = ptacl(
        "simulate", tmp_path / "c", "--preset", "tiny", "--patients", 3, "--kappa", 0,
        "--break-phase", "--set", "strata.athlete=1", "--set", "lead_fault_share=0",
    )  # fmt: skip
    assert answer.exit_code == 0, answer.err
    settings = json.loads((tmp_path / "c" / "simulation.json").read_text())["settings"]
    assert (settings["kappa_scale"], settings["break_phase"]) == (0.0, True)
    assert (settings["strata"]["athlete"], settings["lead_fault_share"]) == (1.0, 0.0)
    calls = json.loads((tmp_path / "c" / "generation.json").read_text())["calls"]
    assert [call["num_patients"] for call in calls] == [3]
    assert "recordings left out: 0" in answer.out


@pytest.mark.parametrize(
    ("option", "value", "shown"),
    [
        ("--set", "strata.athletes=1", "nearest: strata.athlete"),
        ("--device", "quantum", "--device quantum: cannot be used here"),
    ],
)
def test_simulate_shows_a_wrong_option(ptacl, tmp_path, option, value, shown):
    answer = ptacl("simulate", tmp_path / "c", "--preset", "tiny", option, value)
    assert answer.exit_code == 2
    assert shown in answer.err
    assert not (tmp_path / "c" / "shards").exists()


def test_simulated_files_go_on_where_they_stopped(ptacl, tmp_path):
    command = ("simulate", tmp_path / "u", "--preset", "tiny", "--patients", 2, "--layout", "ukb")
    assert ptacl(*command).exit_code == 0
    table = tmp_path / "u" / "phenotypes.csv"
    whole = table.read_text()
    table.write_text("".join(whole.splitlines(keepends=True)[:2]))
    first, second = sorted((tmp_path / "u").glob("*_20209_2_0.zip"))
    before = first.stat().st_mtime_ns
    content = second.read_bytes()
    second.unlink()
    assert ptacl(*command).exit_code == 0
    assert table.read_text() == whole
    assert second.read_bytes() == content
    assert first.stat().st_mtime_ns == before


def test_embed_counts_what_the_store_holds(ptacl, trained_cohort):
    answer = ptacl("embed", trained_cohort, "--run", "tiny", "--json")
    assert answer.exit_code == 0
    document = json.loads(answer.out)
    assert document["run"] == "tiny"
    counted = ptacl(
        "query",
        trained_cohort,
        "SELECT count(*) AS n FROM recordings WHERE modality = 'ecg'",
        "--format",
        "json",
    )
    assert document["ecg"] == json.loads(counted.out)[0]["n"]


def test_predict_answers_for_real_ecgs(ptacl, trained_cohort):
    files = [SAMPLES / "HR06000.hea", SAMPLES / "pydicom_waveform_ecg.dcm"]
    answer = ptacl("predict", *files, "--cohort", trained_cohort, "--run", "tiny", "--json")
    assert answer.exit_code == 0, answer.err
    predictions = json.loads(answer.out)
    assert len(predictions) == 2
    for prediction in predictions:
        assert prediction["accepted"]
        assert prediction["heart_rate_bpm"] == pytest.approx(70, abs=30)
        assert tuple(prediction["phenotypes"]) == PHENOTYPE_NAMES
        for value in prediction["phenotypes"].values():
            assert value["low"] < value["value"] < value["high"]
            assert value["unit"] in ("mL", "%", "L/min", "g")
        assert isinstance(prediction["out_of_distribution"]["flag"], bool)
        similarities = [neighbour["similarity"] for neighbour in prediction["neighbours"]]
        assert similarities == sorted(similarities, reverse=True)
        assert len(similarities) == 5


@pytest.mark.parametrize("kind", ["text", "empty", "folder", "missing"])
def test_predict_gives_one_line_for_what_is_no_ecg(ptacl, trained_cohort, tmp_path, kind):
    path = tmp_path / "recording.dat"
    if kind == "text":
        path.write_text("dear diary, no voltage today\n" * 20)
    elif kind == "empty":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    answer = ptacl("predict", path, "--cohort", trained_cohort, "--run", "tiny")
    assert answer.exit_code == 2
    lines = answer.err.strip().splitlines()
    assert len([line for line in lines if line.startswith("error:")]) == 1
    assert "recording.dat" in lines[-1]
    assert "Traceback" not in answer.err


def test_one_bad_file_does_not_stop_the_others(ptacl, trained_cohort, tmp_path):
    answer = ptacl(
        "predict",
        tmp_path / "missing.dat",
        SAMPLES / "E07500.mat",
        "--cohort",
        trained_cohort,
        "--run",
        "tiny",
    )
    assert answer.exit_code == 2
    assert "E07500" in answer.out
    assert "Research use only" in answer.out
    assert "missing.dat" in answer.err


def test_neighbours_of_a_patient_and_of_a_file_agree_in_form(ptacl, trained_cohort):
    for query in ("S000000", SAMPLES / "HR06000.hea"):
        answer = ptacl("neighbours", trained_cohort, query, "-k", 4, "--run", "tiny", "--json")
        assert answer.exit_code == 0, answer.err
        rows = json.loads(answer.out)
        assert [row["rank"] for row in rows] == [1, 2, 3, 4]
        assert {"patient", "similarity", "lvef_pct"} <= set(rows[0])


def test_neighbours_of_an_unknown_patient_is_one_line(ptacl, trained_cohort):
    answer = ptacl("neighbours", trained_cohort, "nobody-here", "--run", "tiny")
    assert answer.exit_code == 2
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_query_prints_each_form(ptacl, trained_cohort, form):
    question = "SELECT patient, sex FROM patients ORDER BY patient LIMIT 3"
    answer = ptacl("query", trained_cohort, question, "--format", form)
    assert answer.exit_code == 0
    assert "S000000" in answer.out
    if form == "csv":
        assert answer.out.splitlines()[0] == "patient,sex"
    if form == "json":
        assert json.loads(answer.out)[0]["patient"] == "S000000"


def test_query_joins_vectors_with_sql(ptacl, trained_cohort):
    question = (
        "SELECT n.rank, n.patient, p.sex FROM knn('S000000', 5) n "
        "JOIN patients p USING (patient) ORDER BY n.rank"
    )
    answer = ptacl("query", trained_cohort, question, "--format", "json")
    assert answer.exit_code == 0, answer.err
    assert [row["rank"] for row in json.loads(answer.out)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("statement", ["DROP TABLE patients", "COPY patients TO '/tmp/x.csv'"])
def test_query_refuses_to_write(ptacl, trained_cohort, statement):
    answer = ptacl("query", trained_cohort, statement)
    assert answer.exit_code == 2
    assert "error:" in answer.err


@pytest.mark.parametrize(
    "command",
    [["embed"], ["evaluate"], ["train", "--preset", "tiny"], ["query", "SELECT 1"]],
)
def test_a_missing_cohort_is_one_line_and_exit_2(ptacl, tmp_path, command):
    answer = ptacl(command[0], tmp_path / "nowhere", *command[1:])
    assert answer.exit_code == 2
    assert len(answer.err.strip().splitlines()) == 1
    assert answer.err.startswith("error:")


def test_an_unknown_run_names_those_there_are(ptacl, trained_cohort):
    answer = ptacl("evaluate", trained_cohort, "--run", "tinny")
    assert answer.exit_code == 2
    assert "tiny" in answer.err


def test_an_unknown_setting_names_the_nearest(ptacl, trained_cohort):
    answer = ptacl(
        "train", trained_cohort, "--preset", "tiny", "--set", "align.temperature_globl=0.2"
    )
    assert answer.exit_code == 2
    assert "temperature_global" in answer.err


@pytest.mark.parametrize("name", [None, "/somewhere/ecg.npy"])
def test_a_full_disk_is_one_line_with_a_way_out(capsys, name):
    """As numpy, Arrow and the system say it, with and without the file."""

    def fill() -> None:
        raise OSError(errno.ENOSPC, "Error writing bytes to file. Detail: [errno 28]", name)

    with pytest.raises(SystemExit) as leaving:
        run_guarded(fill)
    said = capsys.readouterr().err
    assert leaving.value.code == 2
    assert said.count("\n") == 1
    assert "no space left" in said
    assert "free some space" in said
    assert ("ecg.npy" in said) == (name is not None)
    assert "somewhere" not in said
