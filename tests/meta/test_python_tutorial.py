"""The Python tutorial runs as it is written, block after block, in one session."""

import re
from pathlib import Path

import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks

import ptacl_core

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "python.md"


def test_a_first_session_runs_as_written(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    blocks = re.findall(r"```python\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.S)
    assert len(blocks) >= 5
    session: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"python.md, block {number + 1}", "exec"), session)
    said = capsys.readouterr().out
    assert "lvedv_ml" in said
    assert len(said.splitlines()) > 15


CHECKS = (
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
)
"""Those that apply to a transformer of recordings; the others feed it rows of random numbers."""


@pytest.mark.parametrize("check", CHECKS)
def test_features_follow_the_conventions_of_estimators(check):
    getattr(estimator_checks, check)("PtaclFeatures", ptacl_core.PtaclFeatures("example"))


def test_features_are_those_of_the_model():
    features = ptacl_core.PtaclFeatures("example", space="pooled")
    with pytest.raises(NotFittedError):
        features.transform([])
    with pytest.raises(NotFittedError):
        features.get_feature_names_out()
    sample = TUTORIAL.parents[1] / "assets" / "samples" / "HR06000.hea"
    again = clone(features)
    assert isinstance(again, ptacl_core.PtaclFeatures)
    made = again.fit().transform([sample])
    assert (made == ptacl_core.load_model("example").embed(sample, space="pooled")).all()
    assert len(features.fit().fit_transform([sample])[0]) == made.shape[1]


def test_other_names_are_not_there():
    assert {"load_model", "Cohort", "PtaclFeatures"} <= set(ptacl_core.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(ptacl_core, "nothing")  # noqa: B009
