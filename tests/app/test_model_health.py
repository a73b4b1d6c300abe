import json

from ptacl_app.data.model_health import read_warning
from ptacl_core.documents.health import HealthLimits, RunHealth, StageHealth

LIMITS = HealthLimits(contrastive_share=0.97, min_effective_rank=4, reconstruction_share=0.98)


def write_health(cohort, run, *, learned):
    folder = cohort / "runs" / run
    folder.mkdir(parents=True)
    stage = StageHealth(learned=learned, reasons=() if learned else ("rank 1.9\x1b[31m, below 4",))
    document = RunHealth(run=run, limits=LIMITS, stages={"align": stage}).as_dict()
    (folder / "health.json").write_text(json.dumps(document))


def test_a_run_that_has_not_learned_is_named_with_safe_text(tmp_path):
    write_health(tmp_path, "collapsed", learned=False)
    write_health(tmp_path, "good", learned=True)
    warning = read_warning(tmp_path, "collapsed")
    assert warning is not None
    assert warning.startswith("run collapsed has not learned (align): rank 1.9")
    assert "\x1b" not in warning
    assert read_warning(tmp_path, "good") is None
    assert read_warning(tmp_path, "never-measured") is None
    assert read_warning(tmp_path, "../good") is None
    assert read_warning(tmp_path, None) is None


def test_a_damaged_verdict_is_said_and_stops_nothing(tmp_path):
    write_health(tmp_path, "odd", learned=True)
    (tmp_path / "runs" / "odd" / "health.json").write_text("{")
    assert "cannot be read" in (read_warning(tmp_path, "odd") or "")
