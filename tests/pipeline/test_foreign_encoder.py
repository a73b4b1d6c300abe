"""`ptacl evaluate --encoder`: an encoder that was not trained here as a row."""

import json
from pathlib import Path

import numpy as np
import pytest

from ptacl_core.errors import EncoderError
from ptacl_core.stages.evaluate import foreign

pytestmark = pytest.mark.xdist_group("trained")
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "own_encoder.py"


def test_an_encoder_of_ones_own_stands_beside_the_rows_without_learning(trained_cohort, ptacl):
    answer = ptacl(
        "evaluate", trained_cohort, "--encoder", f"{EXAMPLE}:encode", "--resamples", 100, "--json"
    )
    assert answer.exit_code == 0, answer.err
    document = json.loads(answer.out)
    assert document["kind"] == "ptacl-foreign-evaluation"
    assert document["num_features"] == 64
    keys = [row["key"] for row in document["rows"]]
    assert {"demographics", "ridge-mean-beat", "foreign-ecg"} <= set(keys)
    row = next(row for row in document["rows"] if row["key"] == "foreign-ecg")
    assert row["mean"]["low"] < row["mean"]["r2"] < row["mean"]["high"] < 1
    assert row["label_curve"]
    assert [question["key"] for question in document["nested"]] == ["ecg", "mean-beat"]


def test_features_without_information_say_nothing(trained_cohort):
    generator = np.random.default_rng(0)
    document = foreign.run(
        trained_cohort, lambda signals, _: generator.normal(size=(len(signals), 3)),
        name="noise", num_resamples=100,
    )  # fmt: skip
    row = next(row for row in document.rows if row.key == "foreign-ecg")
    assert row.mean.r2 is not None
    assert row.mean.r2 < 0.05


@pytest.mark.parametrize(
    "encode",
    [
        lambda signals, _: signals,
        lambda signals, _: np.zeros((1, 4)),
        lambda signals, _: np.zeros((len(signals), 0)),
        lambda signals, _: np.full((len(signals), 4), np.nan),
        lambda signals, _: np.array([["a"]] * len(signals)),
    ],
)
def test_anything_but_features_is_refused(trained_cohort, encode):
    with pytest.raises(EncoderError, match=r"expected features|not finite"):
        foreign.run(trained_cohort, encode, name="wrong", num_resamples=100)


def test_a_place_that_names_no_function_is_one_line(trained_cohort, ptacl, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_of_this_name\n")
    for place, words in (
        ("encoder.py", "expected FILE.py:FUNCTION"),
        (f"{EXAMPLE}:absent", "has no function absent"),
        (f"{broken}:encode", "ModuleNotFoundError"),
        (f"{tmp_path / 'none.py'}:encode", "FileNotFoundError"),
    ):
        answer = ptacl("evaluate", trained_cohort, "--encoder", place)
        assert answer.exit_code != 0
        assert words in answer.err.replace("\n", " ")
        assert "Traceback" not in answer.err
    both = ptacl("evaluate", trained_cohort, "--encoder", f"{EXAMPLE}:encode", "--run", "x")
    assert both.exit_code != 0
