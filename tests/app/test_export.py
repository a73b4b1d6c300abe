"""What leaves the app: whole, guarded, private, marked as research."""

import csv
import io
import json
import re

import pytest

from ptacl_app.__main__ import main as report
from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.output.export import (
    export_neighbours,
    export_overview,
    export_run_table,
    write_csv,
    write_patient_text,
)
from ptacl_app.output.report import write_report
from ptacl_app.shell.settings import AppSettings
from ptacl_app.text.formatting import RESEARCH_USE_SENTENCE
from ptacl_app.text.privacy import PatientNames
from ptacl_core.cohort import Cohort


@pytest.fixture
def reader(cohort_dir, tmp_path, monkeypatch):
    opened = CohortReader.open(cohort_dir)
    monkeypatch.setattr(CohortReader, "export_dir", property(lambda self: tmp_path / "exports"))
    yield opened
    opened.close()


def read_csv(path):
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_overview_holds_every_row_that_fits(reader):
    path, count = export_overview(reader, where="sex = 'F'")
    rows = read_csv(path)
    assert count == 24 == len(rows) - 1
    assert rows[0][:3] == ["patient", "visit", "split"]
    assert "lvef_pct" in rows[0]
    about = json.loads(path.with_name(path.name + ".about.json").read_text())
    assert about["notice"] == RESEARCH_USE_SENTENCE


def test_neighbours_and_run_tables(reader):
    neighbours = reader.load_neighbours("p0002", k=5)
    path = export_neighbours(reader, neighbours, name_of=PatientNames(b"key").name_of)
    rows = read_csv(path)
    assert len(rows) == 6
    assert not any(neighbour.patient in path.read_text() for neighbour in neighbours)
    (run,) = reader.load_runs()
    rows = read_csv(export_run_table(reader, run, run.tables[0]))
    assert rows[0][:2] == ["run", "R²"]
    assert len(rows) == 12


def test_two_exports_in_one_second_do_not_overwrite_each_other(reader):
    first, _ = export_overview(reader, where="sex = 'F'")
    second, _ = export_overview(reader, where="sex = 'F'")
    assert first != second
    with Cohort.open(reader.path) as cohort:
        log = cohort.notes.audit_log()
    logged = [(entry.action, (entry.details or {}).get("name")) for entry in log]
    assert logged[-2:] == [("export", first.name), ("export", second.name)]


def test_cells_keep_one_record_on_one_line(tmp_path):
    path = tmp_path / "x.csv"
    write_csv(path, ["a"], [["x\r\ny"], ["\x1b[31m"], [None], [True], [1.5]], about="test")
    assert len(path.read_bytes().split(b"\r\n")) == 7
    assert b"\x1b" not in path.read_bytes()


def test_text_of_a_patient_shows_intervals_with_predictions(reader):
    view = reader.load_patient("p0002")
    text = write_patient_text(view, name_of=lambda patient: "somebody")
    assert "p0002" not in text
    for line in text.splitlines()[2:12]:
        cells = line.split("\t")
        assert cells[1].startswith("~")
        assert "–" in cells[2]
        assert not cells[3].startswith("~")
    assert text.endswith(RESEARCH_USE_SENTENCE)


def test_report_is_one_page_that_fetches_and_runs_nothing(reader):
    view = reader.load_patient("p0007")
    page = write_report(view, name="<script>alert(1)</script>")
    assert page.count(RESEARCH_USE_SENTENCE) == 2
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    words = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    assert "http" not in words.replace("http-equiv", "")
    assert page.count("data:image/png;base64,") == 12  # the ECG, ten frames, the map
    assert page.count("end-systole") == page.count("end-diastole") == 1
    assert "unlike the training data" in page
    assert "muscle noise" in page
    assert "90 % interval" in page
    assert page.index("Quality") < page.index("Phenotypes")


def test_report_of_what_is_missing(reader, bare_cohort_dir):
    for patient in ("p0003", "p0005"):
        assert RESEARCH_USE_SENTENCE in write_report(reader.load_patient(patient), name="x")


async def test_report_from_the_patient_screen(make_app, settle, cohort_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(CohortReader, "export_dir", property(lambda self: tmp_path / "exports"))
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("e")
        await settle(pilot)
        await pilot.press("enter")
        for _ in range(200):  # a busy machine mounts the dialog and writes the report late
            await settle(pilot)
            if list((tmp_path / "exports").glob("report-*.html")):
                break
            await pilot.pause(0.05)
        (path,) = (tmp_path / "exports").glob("report-*.html")
        assert "p0002" in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600
        assert any(str(path.name) in notification.message for notification in app._notifications)
        await pilot.press("y")
        await pilot.pause()
        assert "~" in (tmp_path / "state" / "clipboard.txt").read_text()


async def test_a_folder_that_takes_nothing_is_said_on_every_screen(
    make_app, settle, tmp_path, monkeypatch, said, capsys
):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setattr(CohortReader, "export_dir", property(lambda self: blocked / "exports"))
    app = make_app(
        first_patient="p0002",
        settings=AppSettings(fps=1.0),
    )
    app.state_dir = blocked / "state"
    app._session_path = app.state_dir / "session.json"
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        for keys in (("1", "e"), ("2", "e", "enter"), ("3", "e"), ("5", "e"), ("4",)):
            await pilot.press(*keys)
            await settle(pilot)
        await pilot.press("ctrl+j")
        await settle(pilot)
        await pilot.press("escape", "e")
        await settle(pilot)
        shown = str(app.screen.query_one("#status").content)
        heard = [text for text in said if "nothing was written" in text]
        assert len(heard) == 4
        assert all("make room" in text for text in (*heard, shown))
        app.exit()
    assert "the session was not kept" in capsys.readouterr().err


def test_a_report_from_the_command_line(bare_cohort_dir, tmp_path, capsys):
    path = tmp_path / "report.html"
    assert report(["report", str(bare_cohort_dir), "--patient", "p0001", "--out", str(path)]) == 0
    assert capsys.readouterr().out.strip() == str(path)
    assert "visit 2" in path.read_text()
    assert report(["report", str(bare_cohort_dir), "--patient", "nobody"]) == 2
    assert "no such patient" in capsys.readouterr().err
