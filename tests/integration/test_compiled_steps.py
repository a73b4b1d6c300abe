"""Stages trained with compiled steps have the losses of the uncompiled ones."""

import pytest

from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.stages.simulate import run as simulate
from ptacl_core.stages.train import run as train
from ptacl_core.train.metrics_log import read_metrics

NUM_PATIENTS = 24
CHANGES = [
    f"{section}.optimisation.{key}={value}"
    for section in ("pretrain_ecg", "pretrain_cmr", "align")
    for key, value in (("steps", 3), ("batch_size", 8), ("log_every_steps", 1))
]


@pytest.mark.compile
@pytest.mark.filterwarnings("default")  # the compiler's own
def test_compiled_stages_have_the_losses_of_uncompiled_ones(tmp_path):
    cohort = tmp_path / "cohort"
    simulate.run(cohort, preset="tiny", num_patients=NUM_PATIENTS)
    losses = {}
    for name, value in (("plain", "false"), ("compiled", "true")):
        settings = load_run_settings("tiny", overrides=[*CHANGES, f"compute.compile={value}"])
        train.run(cohort, settings, run_name=name)
        lines = read_metrics(cohort / "runs" / name / "metrics.jsonl")
        losses[name] = {
            (line["stage"], line["step"]): line["loss"] for line in lines if "loss" in line
        }
    assert len(losses["plain"]) >= 9
    assert losses["compiled"] == pytest.approx(losses["plain"], rel=1e-4)
