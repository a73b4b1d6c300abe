"""Who was in which run is known from its start on, through parents, and forgotten on erasure."""

from pathlib import Path

import duckdb
import pytest

from ptacl_core.cohort import CohortLayout
from ptacl_core.cohort.identity.keys import CohortKey
from ptacl_core.cohort.identity.lineage import (
    RunsOfPeople,
    find_runs,
    forget_people,
    hash_member,
    log_part,
    read_files,
    read_marks,
    read_stages,
    record_file,
    record_stage,
    record_weights,
)
from ptacl_core.cohort.identity.lineage_file import lineage_file

KEY = CohortKey(bytes(range(32)))


@pytest.fixture
def layout(tmp_path: Path) -> CohortLayout:
    layout = CohortLayout(tmp_path / "cohort")
    layout.root.mkdir()
    record_stage(
        layout, key=KEY, run="first", stage="ecg", people=["p1", "p2"], data_sha256="a" * 64
    )
    record_stage(layout, key=KEY, run="first", stage="align", people=["p2", "p3"], data_sha256=None)
    record_stage(
        layout,
        key=KEY,
        run="second",
        stage="align",
        people=["p4"],
        data_sha256=None,
        parents=["first", "second"],
    )
    record_stage(layout, key=None, run="keyless", stage="align", people=["p1"], data_sha256=None)
    return layout


def ask(layout: CohortLayout, *people: str, key: CohortKey | None = KEY) -> RunsOfPeople:
    existing = {
        "first": ["ecg", "align"],
        "second": ["align"],
        "keyless": ["align"],
        "old": ["align"],
    }
    return find_runs(layout, key=key, people=people, existing=existing)


def test_runs_are_found_by_any_stage_and_through_the_runs_that_they_start_from(layout):
    assert ask(layout, "p1").trained == ("first", "second")
    assert ask(layout, "p4").trained == ("second",)
    assert ask(layout, "p9").trained == ()


def test_what_was_never_recorded_is_unknown_and_without_the_key_everything_is(layout):
    assert ask(layout, "p4").unknown == ("keyless", "old")
    without_key = ask(layout, "p4", key=None)
    assert without_key.trained == ()
    assert without_key.unknown == ("first", "keyless", "old", "second")


def test_a_stage_that_begins_again_is_recorded_anew_and_keeps_its_weights(layout):
    record_weights(layout, run="first", stage="ecg", weights_sha256="b" * 64, log_sha256="c" * 64)
    record_stage(layout, key=KEY, run="first", stage="ecg", people=["p5"], data_sha256=None)
    stages = {(stage.run, stage.stage): stage for stage in read_stages(layout)}
    assert stages["first", "ecg"].num_people == 1
    assert stages["first", "ecg"].weights_sha256 == "b" * 64
    assert ask(layout, "p1").trained == ()


def test_files_have_the_hash_recorded_last_or_the_one_before(layout):
    for sha256 in ("1" * 64, "2" * 64, "3" * 64):
        record_file(layout, run="first", part="health.json", sha256=sha256)
    record_weights(layout, run="first", stage="ecg", weights_sha256="b" * 64, log_sha256="c" * 64)
    assert read_files(layout)["first"] == {
        "health.json": {"2" * 64, "3" * 64},
        log_part("ecg"): {"c" * 64},
    }
    record_stage(layout, key=KEY, run="first", stage="ecg", people=["p5"], data_sha256=None)
    assert log_part("ecg") not in read_files(layout)["first"]


def test_a_lineage_of_before_files_were_recorded_is_read_and_extended(layout):
    with duckdb.connect(str(lineage_file(layout))) as connection:
        connection.execute("DROP TABLE files")
    assert read_files(layout) == {}
    record_file(layout, run="first", part="health.json", sha256="1" * 64)
    assert read_files(layout) == {"first": {"health.json": {"1" * 64}}}
    assert ask(layout, "p1").trained == ("first", "second")


def test_forgotten_people_leave_no_bytes_and_their_runs_stay_marked(layout):
    file = lineage_file(layout)
    assert file.stat().st_mode & 0o777 == 0o600
    assert hash_member(KEY, "p1") in file.read_bytes(), "the test is blind"
    runs = ask(layout, "p1")
    for _ in range(2):  # a second call changes nothing
        forget_people(layout, key=KEY, people=["p1"], runs=runs)
        marks = read_marks(layout)
        assert {name: mark.num_people for name, mark in marks.items()} == {
            "first": 1,
            "second": 1,
            "keyless": 1,
            "old": 1,
        }
        assert {name for name, mark in marks.items() if mark.is_certain} == {"first", "second"}
    assert hash_member(KEY, "p1") not in file.read_bytes()
    assert b"p1" not in file.read_bytes()
    assert ask(layout, "p1").trained == ()
    assert ask(layout, "p3").trained == ("first", "second")
    assert list(layout.root.glob(".*.tmp*")) == []
