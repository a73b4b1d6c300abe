"""R35: what people write is kept apart, and the audit log shows every change to it."""

import json
import shutil
import threading
from pathlib import Path

import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.engine import connect_writer, execute
from ptacl_core.cohort.health.verification import verify_cohort
from ptacl_core.cohort.notes.audit_heads import head_file
from ptacl_core.cohort.notes.readings import (
    find_reading_faults,
    reading_log,
    redact_readings,
)
from ptacl_core.errors import CohortError, QueryError

NAME = "sim-000003"


def read_log(cohort_id: str) -> list[dict[str, object]]:
    """This user's log of a cohort, an entry a line."""
    file = reading_log(cohort_id)
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_tags_and_notes_come_and_go(cohort: Cohort) -> None:
    notes = cohort.notes
    notes.add_tag(NAME, " check ")
    notes.add_tag(NAME, "check")
    notes.add_tag(NAME, "again")
    notes.add_tag("sim-000004", "check")
    assert notes.tags(NAME) == {NAME: ["again", "check"]}
    assert set(notes.tags()) == {NAME, "sim-000004"}
    notes.remove_tag(NAME, "again")
    assert notes.tags(NAME) == {NAME: ["check"]}
    first = notes.add_note(NAME, 'long QT?\nlook again; it\'s "odd"')
    notes.add_note(NAME, "looked")
    assert [note.text for note in notes.notes(NAME)] == [
        'long QT?\nlook again; it\'s "odd"',
        "looked",
    ]
    notes.remove_note(first)
    assert [note.text for note in notes.notes()] == ["looked"]
    for call in (lambda: notes.add_tag(NAME, " "), lambda: notes.add_note(NAME, "")):
        with pytest.raises(CohortError, match="empty text"):
            call()


def test_a_note_never_touches_the_store(cohort: Cohort) -> None:
    before = cohort.layout.store.stat().st_mtime_ns
    cohort.notes.add_note(NAME, "x")
    assert cohort.layout.store.stat().st_mtime_ns == before
    assert not cohort.is_stale()


def test_a_saved_cohort_keeps_how_it_came_about(cohort: Cohort) -> None:
    saved = cohort.save_cohort(
        "women", [("women", "sex = 'F'"), ("first visit", "visit = 0"), ("EF", "lvef_pct > 55")]
    )
    steps = saved.attrition
    assert [step.label for step in steps] == ["all", "women", "first visit", "EF"]
    assert (steps[0].num_rows, steps[0].num_patients) == (65, 60)
    assert steps[2].num_rows == steps[2].num_patients == 30
    assert steps[3].num_rows == cohort.count("sex = 'F' AND visit = 0 AND lvef_pct > 55")
    members = cohort.notes.saved_cohort_members("women")
    assert len(members) == steps[3].num_rows
    again = cohort.save_cohort("women", [("men", "sex = 'M'")])
    assert [saved.name for saved in cohort.notes.saved_cohorts()] == ["women"]
    assert len(cohort.notes.saved_cohort_members("women")) == again.attrition[-1].num_rows
    cohort.notes.remove_saved_cohort("women")
    with pytest.raises(CohortError, match="name of a saved cohort"):
        cohort.notes.saved_cohort_members("women")
    with pytest.raises(QueryError):
        cohort.save_cohort("bad", [("x", "nonsense = 1")])
    with pytest.raises(QueryError):
        cohort.save_cohort("none", [])


def test_many_threads_write_at_once_and_nothing_is_lost(cohort: Cohort) -> None:
    def write(number: int) -> None:
        for step in range(4):
            cohort.notes.add_note(NAME, f"{number}-{step}")
            cohort.notes.append_audit("model_use", run="r", number=number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cohort.notes.notes(NAME)) == 16
    assert [entry.number for entry in cohort.notes.audit_log()] == list(range(1, 17))
    assert cohort.notes.find_tampering() == []


def test_every_query_is_in_the_readers_log_and_every_export_in_the_cohorts(
    cohort: Cohort,
) -> None:
    before = len(read_log(cohort.description.cohort_id))
    cohort.sql("SELECT 1")
    with pytest.raises(QueryError):
        cohort.sql("DROP TABLE runs")
    cohort.export("SELECT 2 AS two", name="two")
    with Cohort.write(cohort.path, purpose="embed") as writer:
        writer.put_audit("model_use", run="align-1")
    log = cohort.notes.audit_log()
    assert [entry.action for entry in log] == ["export", "model_use"]
    asked = read_log(cohort.description.cohort_id)[before:]
    statements = [json.loads(str(entry["details"]))["statement"] for entry in asked]
    assert statements == ["SELECT 1", "DROP TABLE runs"]
    assert (log[0].details or {}).get("statement") == "SELECT 2 AS two"
    assert all(entry["actor"] for entry in asked)
    assert all(entry.actor for entry in log)


def test_the_readers_log_is_chained_and_loses_people_on_erasure(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    cohort_id = cohort.description.cohort_id
    for number in range(3):
        cohort.sql(f"SELECT {number} FROM patients WHERE patient = 'sim-00000{number}'")
    assert find_reading_faults(cohort_id) == []
    assert redact_readings(cohort_id, ["sim-000001"]) == 1
    assert find_reading_faults(cohort_id) == []
    assert [entry["details"] is None for entry in read_log(cohort_id)] == [False, True, False]
    file = reading_log(cohort_id)
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    assert find_reading_faults(cohort_id)


def test_a_reader_writes_nothing_and_takes_no_lock(cohort_path: Path) -> None:
    def look() -> dict[str, int]:
        return {
            str(path): path.lstat().st_mtime_ns for path in [cohort_path, *cohort_path.rglob("*")]
        }

    with Cohort.open(cohort_path) as cohort:
        cohort.notes.add_tag("sim-000001", "x")
    before = look()
    with Cohort.open(cohort_path) as cohort:
        cohort.sql("SELECT count(*) FROM overview")
        cohort.patients("lvef_pct > 50")
        cohort.neighbours("sim-000001")
        assert cohort.notes.tags() == {"sim-000001": ["x"]}
        cohort.notes.audit_log()
        cohort.notes.saved_cohorts()
    verify_cohort(cohort_path)
    assert look() == before


def _fill_log(cohort: Cohort) -> None:
    for number in range(6):
        cohort.notes.append_audit("query", statement=f"SELECT {number}")
    assert cohort.notes.find_tampering() == []


TAMPERINGS = {
    "changed details": "UPDATE audit_log SET details_json = '{}' WHERE number = 3",
    "changed action": "UPDATE audit_log SET action = 'nothing' WHERE number = 3",
    "changed actor": "UPDATE audit_log SET actor = 'somebody' WHERE number = 1",
    "changed time": "UPDATE audit_log SET logged_at = logged_at + INTERVAL 1 HOUR WHERE number = 2",
    "removed entry": "DELETE FROM audit_log WHERE number = 4",
    "removed end": "DELETE FROM audit_log WHERE number > 4",
    "removed everything": "DELETE FROM audit_log",
    "inserted entry": "INSERT INTO audit_log SELECT 7, logged_at, actor, action, details_json, "
    "details_sha256, previous_hash, hash FROM audit_log WHERE number = 6",
    "swapped entries": "UPDATE audit_log SET number = CASE number WHEN 2 THEN 3 ELSE 2 END "
    "WHERE number IN (2, 3)",
    "unexplained redaction": "UPDATE audit_log SET details_json = NULL WHERE number = 2",
    "rewritten chain": "",
    "removed file": "",
}


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_tampering_with_the_audit_log_is_found(cohort: Cohort, kind: str) -> None:
    _fill_log(cohort)
    path: Path = cohort.layout.notes
    if kind == "removed file":
        path.unlink()
    elif kind == "rewritten chain":
        path.unlink()  # somebody writes a whole new log, every hash in it right
        head = head_file(cohort.layout, cohort.description.cohort_id)
        kept = head.read_text()
        for number in range(6):
            cohort.notes.append_audit("query", statement=f"SELECT {number} AS harmless")
        head.write_text(kept)
    else:
        connection = connect_writer(path)
        execute(connection, TAMPERINGS[kind])
        connection.close()
    assert cohort.notes.find_tampering() != []


def test_a_log_that_is_longer_than_the_head_kept_elsewhere_is_whole(cohort: Cohort) -> None:
    """A process may die between the entry and its head."""
    _fill_log(cohort)
    head = head_file(cohort.layout, cohort.description.cohort_id)
    kept = head.read_text()
    cohort.notes.append_audit("query", statement="SELECT 7")
    assert json.loads(head.read_text())["number"] == 7
    head.write_text(kept)
    assert cohort.notes.find_tampering() == []


def test_copies_of_a_cohort_keep_logs_of_their_own(cohort: Cohort, tmp_path: Path) -> None:
    _fill_log(cohort)
    copy = Path(shutil.copytree(cohort.layout.root, tmp_path / "copy"))
    for number in range(3):  # the first one goes on, and so does the copy
        cohort.notes.append_audit("query", statement=f"SELECT {number} AS mine")
    with Cohort.open(copy) as copied:
        assert copied.notes.find_tampering() == []
        copied.notes.append_audit("query", statement="SELECT 'yours'")
        assert copied.notes.find_tampering() == cohort.notes.find_tampering() == []
        _cut_off(copied)
        assert "cut off" in str(copied.notes.find_tampering())
        assert cohort.notes.find_tampering() == []


def test_a_log_that_is_cut_off_is_known_after_a_move(cohort: Cohort, tmp_path: Path) -> None:
    _fill_log(cohort)
    moved = cohort.layout.root.rename(tmp_path / "moved")
    with Cohort.open(moved) as there:
        assert there.notes.find_tampering() == []
        _cut_off(there)
        assert "cut off" in str(there.notes.find_tampering())


def test_a_head_of_an_earlier_version_is_still_compared(cohort: Cohort, keys: Path) -> None:
    _fill_log(cohort)
    earlier = keys / f"{cohort.description.cohort_id}.audit.json"
    head = json.loads(head_file(cohort.layout, cohort.description.cohort_id).read_text())
    head_file(cohort.layout, cohort.description.cohort_id).unlink()
    earlier.write_text(json.dumps({"number": head["number"], "hash": head["hash"]}))
    assert cohort.notes.find_tampering() == []
    _cut_off(cohort)
    assert "cut off" in str(cohort.notes.find_tampering())
    cohort.notes.append_audit("query", statement="SELECT 1")
    assert not earlier.exists()


def _cut_off(cohort: Cohort) -> None:
    connection = connect_writer(cohort.layout.notes)
    execute(connection, "DELETE FROM audit_log WHERE number > 5")
    connection.close()


def test_notes_of_another_version_or_kind_are_refused_in_words(cohort: Cohort) -> None:
    cohort.notes.add_tag(NAME, "x")
    connection = connect_writer(cohort.layout.notes)
    execute(connection, "UPDATE notes_version SET version = 77")
    connection.close()
    with pytest.raises(CohortError, match="77"):
        cohort.notes.tags()
    cohort.layout.notes.write_bytes(b"something else")
    with pytest.raises(CohortError, match=r"notes\.duckdb"):
        cohort.notes.tags()
