"""Which run speaks: the newest that has learned and is no control, and what is said of others."""

import shutil

import numpy as np
import pytest

from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.data.run_choice import (
    RunStanding,
    choose_default,
    describe_faults,
    find_gain_over_demographics,
)
from ptacl_app.text.formatting import format_similarity
from ptacl_core.cohort import Cohort
from tests.app.conftest import RUN

LEARNED = RunStanding("ptacl")
GLOBAL = RunStanding("global", has_local_alignment=False)
STRANGER = RunStanding("stranger", is_control=True)
COLLAPSED = RunStanding("collapsed", failures=("align", "pretrain_ecg"))


@pytest.mark.parametrize(
    ("standings", "chosen"),
    [
        ([], None),
        ([GLOBAL, LEARNED], "ptacl"),
        ([STRANGER, COLLAPSED, LEARNED, GLOBAL], "ptacl"),
        ([COLLAPSED, GLOBAL], "global"),
        ([COLLAPSED, STRANGER], "collapsed"),
        ([RunStanding("newer"), RunStanding("older")], "newer"),
    ],
)
def test_the_newest_run_that_has_learned_and_is_no_control_speaks(standings, chosen):
    assert choose_default(standings) == chosen


def test_what_speaks_against_a_run_is_said():
    assert describe_faults(LEARNED, None) == []
    assert "has not learned (align, pretrain_ecg)" in describe_faults(COLLAPSED, None)[0]
    assert "negative control" in describe_faults(STRANGER, None)[0]
    document = {
        "regression": {"ecg": {"lvef_pct": {"r2": 0.1}, "lvm_g": {"r2": 0.2}}},
        "rows": [{"key": "demographics", "mean": {"r2": 0.25}}],
    }
    assert find_gain_over_demographics(document) == pytest.approx(-0.1)
    assert (
        "worse than sex, age and body size alone (mean R² −0.100)"
        in (describe_faults(LEARNED, document)[0])
    )
    document["rows"][0]["mean"]["r2"] = 0.1
    assert describe_faults(LEARNED, document) == []
    assert find_gain_over_demographics({"regression": {}}) is None


def test_the_app_opens_on_the_run_that_learned_not_on_the_newest(cohort_dir, tmp_path):
    root = tmp_path / "two"
    shutil.copytree(cohort_dir, root)
    people = [f"p{number:04d}" for number in range(8)]
    vectors = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
    with Cohort.write(root, purpose="test") as writer:
        for name, config in (("global", {"align": {"beta": 0.0}}), ("stranger", {})):
            writer.put_run(name, kind="align", config=config, checkpoint_sha256="b" * 64)
            writer.put_embeddings(name, "ecg", "projected", people, [2] * 8, vectors)
        writer.put_health("stranger", {"align": True}, is_control=True)
    reader = CohortReader.open(root)
    assert reader.find_run() == RUN
    assert reader.describe_run_faults(RUN) == ()
    reader.choose_run("stranger")
    assert reader.find_run() == "stranger"
    assert "negative control" in reader.load_patient("p0002").run_faults[0]
    reader.close()
    with Cohort.write(root, purpose="test") as writer:
        writer.put_health(RUN, {"align": False}, is_control=False)
    reader = CohortReader.open(root)
    assert reader.find_run() == "global"
    reader.close()


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [(0.99998, 0.00002, "≈1.0"), (0.91234, 0.01, "0.91"), (-0.36812, 0.3, "−0.368")],
)
def test_similarities_have_as_many_digits_as_tell_them_apart(value, spread, text):
    assert format_similarity(value, spread=spread) == text
