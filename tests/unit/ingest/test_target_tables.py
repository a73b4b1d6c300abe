"""Tables of targets: which person, which ECG, and what is left out and said."""

import json
from datetime import datetime, timedelta

import pytest

from ptacl_core.cohort.identity.aliases import KnownPeople
from ptacl_core.cohort.identity.keys import CohortKey
from ptacl_core.errors import ConfigError, RecordError
from ptacl_core.ingest.targets import Moment, match_targets, read_values
from ptacl_core.io.targets.definitions import read_definitions

KEY = CohortKey(b"k" * 32)
DAY = datetime(2130, 5, 1, 9)
ANNA, BERT = (KEY.pseudonym(name) for name in ("9000001", "9000002"))
HELD = {ANNA: {0, 1}, BERT: {0}}
MOMENTS = {
    ANNA: [Moment(0, DAY, "41"), Moment(1, DAY + timedelta(days=100), "42")],
    BERT: [Moment(0, DAY, "43")],
}


@pytest.fixture
def match(tmp_path):
    """Definitions and a table as text → what was matched, and what reading found."""

    def run(rule: str, table: str, *, targets: str = "[targets.echo_lvef]\nlow = 5\nhigh = 90\n"):
        file = tmp_path / "targets.toml"
        file.write_text(f'{targets}[[tables]]\nfile = "echo.csv"\nperson = "who"\n{rule}\n')
        (tmp_path / "echo.csv").write_text(table)
        (values,) = read_values(read_definitions(file), ())
        matched = match_targets(
            values.values, values.rule, KnownPeople(KEY), KEY, held=HELD, moments=MOMENTS
        )
        return matched, [str(finding) for finding in values.findings]

    return run


def test_a_time_goes_to_the_nearest_ecg_within_the_days(match):
    rows = [(0, 50), (8, 51), (95, 60), (55, 70), (400, 80)]
    table = "who,when,echo_lvef\n" + "".join(
        f"9000001,{(DAY + timedelta(days=days)).isoformat()},{value}\n" for days, value in rows
    )
    matched, notes = match('time = "when"\nwithin_days = 30', f"{table}9000002,,55\n9,x,3\n")
    assert matched.values == {
        (ANNA, 0, "echo_lvef"): (50.0, 0),
        (ANNA, 1, "echo_lvef"): (60.0, -5),
    }
    assert (matched.num_unplaced, matched.num_repeated) == (2, 1)
    assert "2 rows without a time were left out" in " ".join(notes)


def test_a_recording_is_told_by_its_number(match):
    table = "who,ecg_key,echo_lvef\n9000001.0,42.0,33\n9000002,43,44\n9000002,99,45\n7,43,46\n"
    matched, _ = match('recording = "ecg_key"', table)
    assert matched.values == {
        (ANNA, 1, "echo_lvef"): (33.0, None),
        (BERT, 0, "echo_lvef"): (44.0, None),
    }
    assert (matched.num_strangers, matched.num_unplaced) == (1, 1)
    assert "1 rows of people without an ECG here" in matched.describe()


def test_visits_by_number_and_rows_for_every_visit(match):
    by_visit, _ = match('visit = "v"', "who,v,echo_lvef\n9000001,1,40\n9000001,7,41\n")
    assert by_visit.values == {(ANNA, 1, "echo_lvef"): (40.0, None)}
    always, _ = match("", "who,echo_lvef\n9000001,40\n9000001,41\n")
    assert always.values == {(ANNA, -1, "echo_lvef"): (40.0, None)}
    assert always.num_repeated == 1


def test_values_that_are_none_are_counted(match):
    cells = ["55", "NA", "", "abc", "1e3", "-1", "90"]
    table = "who,echo_lvef\n" + "".join(f"9000001,{cell}\n" for cell in cells)
    _, notes = match("", table)
    assert "1 cells are not finite numbers" in notes[0]
    assert "2 values outside 5 to 90 were left out" in notes[1]


def test_json_says_the_same_and_faults_are_one_line(tmp_path):
    file = tmp_path / "targets.json"
    file.write_text(json.dumps({"targets": {"strain": {"unit": "%"}}, "tables": [{"file": "x"}]}))
    assert read_definitions(file).targets[0].unit == "%"
    with pytest.raises(RecordError):
        read_values(read_definitions(file), ())  # no such table
    for values, words in (
        ({"targets": {"a": {"low": True}}}, "expected low as a number"),
        ({"targets": {"a": {}}, "tables": {}}, r"expected tables as \[\[tables\]\]"),
        ({"targets": {"a": {}}, "tables": [{"time": "t", "visit": "v"}]}, "exclude each other"),
        ({"targets": {"a": {}}, "tables": [{"within_days": -1}]}, "whole number"),
        ({"targets": {"a": {"rule": "b < 3"}, "b": {"kind": "binary"}}}, "continuous target"),
        ({"targets": {"a": 3}}, "expected a section"),
        ([], "expected a section"),
        ({"targets": {f"t{number}": {} for number in range(65)}}, "at most 64"),
    ):
        file.write_text(json.dumps(values))
        with pytest.raises(ConfigError, match=words):
            read_definitions(file)
