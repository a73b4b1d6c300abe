"""Which run is taken when none is named: never one that has not learned, never a control."""

import json
import os

import pytest
import tomli_w

from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.documents.health import HealthLimits, RunHealth, StageHealth
from ptacl_core.errors import CohortError
from ptacl_core.runs.choose import find_run

LIMITS = HealthLimits(contrastive_share=0.97, min_effective_rank=4, reconstruction_share=0.98)


def make_run(cohort, name, *, learned, age_s, control="none"):
    folder = cohort / "runs" / name
    final = folder / "checkpoints" / "align" / "final"
    final.mkdir(parents=True)
    (final / "checkpoint.json").write_text("{}")
    os.utime(final / "checkpoint.json", (1e9 - age_s, 1e9 - age_s))
    settings = load_run_settings("tiny", overrides=[f"align.control={control}"])
    (folder / "config.toml").write_text(
        tomli_w.dumps(settings.model_dump(mode="json", exclude_none=True))
    )
    if learned is not None:
        reasons = () if learned else ("effective rank of the ECG embeddings on test is 1.9",)
        stages = {"align": StageHealth(learned=learned, reasons=reasons)}
        document = RunHealth(run=name, limits=LIMITS, stages=stages)
        (folder / "health.json").write_text(json.dumps(document.as_dict()))


def test_the_newest_run_that_has_learned_is_taken(tmp_path):
    make_run(tmp_path, "older", learned=True, age_s=300)
    make_run(tmp_path, "good", learned=True, age_s=200)
    make_run(tmp_path, "collapsed", learned=False, age_s=100)
    make_run(tmp_path, "stranger", learned=True, age_s=50, control="stranger")
    assert find_run(tmp_path, None).name == "good"
    assert find_run(tmp_path, "collapsed").name == "collapsed"


def test_a_run_of_the_version_before_health_was_measured_is_taken(tmp_path):
    make_run(tmp_path, "unmeasured", learned=None, age_s=10)
    make_run(tmp_path, "good", learned=True, age_s=20)
    assert find_run(tmp_path, None).name == "unmeasured"


def test_where_no_run_is_fit_each_reason_is_told(tmp_path):
    make_run(tmp_path, "collapsed", learned=False, age_s=20)
    make_run(tmp_path, "stranger", learned=True, age_s=10, control="stranger")
    with pytest.raises(CohortError) as caught:
        find_run(tmp_path, None)
    text = str(caught.value)
    assert "run collapsed has not learned (align): effective rank" in text
    assert "run stranger is a negative control" in text
    assert "--run stranger" in text
