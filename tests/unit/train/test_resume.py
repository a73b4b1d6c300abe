"""However a training ends early, going on gives the same losses and the same final bits."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

import pytest

from ptacl_core.checkpoint import DOCUMENT_FILE, STATE_FILE, WEIGHTS_FILE, load_document
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.errors import CheckpointError
from ptacl_core.stages.train import run as train
from ptacl_core.stages.train.run import TrainStage
from ptacl_core.train.interruption import Interrupted
from ptacl_core.train.metrics_log import read_metrics

STAGES = ("ecg", "cmr", "align", "finetune-ecg", "supervised-cmr")
LENGTH = [
    f"{section}.optimisation.{key}={value}"
    for section in ("pretrain_ecg", "pretrain_cmr", "align", "finetune", "supervised")
    for key, value in (("steps", 9), ("checkpoint_every_steps", 2), ("validate_every_steps", 3))
] + [
    "finetune.optimisation.patience=50",
    "align.optimisation.patience=2",
    "supervised.modalities=['cmr']",
    "supervised.drop_path=0.5",
]


def outcome(run_dir: Path, stage: str) -> tuple[list, str]:
    """Losses of every step and validation of a stage, and the hash of its final weights."""
    losses = [
        (line["step"], line.get("loss"), line.get("val_loss"))
        for line in read_metrics(run_dir / "metrics.jsonl")
        if line["stage"] == stage
    ]
    final = load_document(run_dir / "checkpoints" / stage / "final")
    return losses, final.files[WEIGHTS_FILE].sha256


def train_one(cohort_dir: Path, settings, stage: str, name: str, **options) -> Path:
    """Train one stage of a run that takes what lies before it from `uninterrupted`."""
    first = cast(TrainStage, stage.partition("-")[0])
    return train.run(cohort_dir, settings, stage=first, run_name=name, **options).run_dir


@pytest.fixture(scope="module")
def uninterrupted(cohort_dir):
    """Outcome of every stage of a run that nothing disturbed."""
    whole = load_run_settings("tiny", overrides=LENGTH)
    run_dir = train.run(cohort_dir, whole, run_name="uninterrupted").run_dir
    return {stage: outcome(run_dir, stage) for stage in STAGES}


@pytest.fixture(scope="module")
def settings(uninterrupted):
    borrow = [f"pretrained_from.{part}=uninterrupted" for part in ("ecg", "cmr", "align")]
    return load_run_settings("tiny", overrides=[*LENGTH, *borrow])


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("step", [1, 2, 5, 9])
def test_a_crash_at_any_step_changes_nothing(
    cohort_dir, settings, uninterrupted, narrator, power_cut, stage, step
):
    name = f"crash-{stage}-{step}"
    with pytest.raises(power_cut):
        train_one(cohort_dir, settings, stage, name, progress=narrator((stage, step)))
    run_dir = train_one(cohort_dir, settings, stage, name, resume=True)
    assert outcome(run_dir, stage) == uninterrupted[stage]


def test_an_unfinished_stage_is_not_restarted_without_resume(
    cohort_dir, settings, narrator, power_cut
):
    with pytest.raises(power_cut):
        train_one(cohort_dir, settings, "ecg", "careful", progress=narrator(("ecg", 5)))
    with pytest.raises(CheckpointError, match=r"stage ecg was begun before; go on with --resume"):
        train_one(cohort_dir, settings, "ecg", "careful")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x04
    path.write_bytes(bytes(data))


DAMAGE = {
    "weights bit": lambda folder: flip(folder / WEIGHTS_FILE),
    "weights cut": lambda folder: (folder / WEIGHTS_FILE).write_bytes(
        (folder / WEIGHTS_FILE).read_bytes()[:100]
    ),
    "weights empty": lambda folder: (folder / WEIGHTS_FILE).write_bytes(b""),
    "weights gone": lambda folder: (folder / WEIGHTS_FILE).unlink(),
    "state bit": lambda folder: flip(folder / STATE_FILE),
    "state zeroed": lambda folder: (folder / STATE_FILE).write_bytes(
        bytes((folder / STATE_FILE).stat().st_size)
    ),
    "document gone": lambda folder: (folder / DOCUMENT_FILE).unlink(),
    "document garbage": lambda folder: (folder / DOCUMENT_FILE).write_bytes(b"\xff{]"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    cohort_dir, settings, uninterrupted, narrator, power_cut, kind
):
    name = f"damaged-{kind.replace(' ', '-')}"
    with pytest.raises(power_cut):
        train_one(cohort_dir, settings, "align", name, progress=narrator(("align", 7)))
    folder = cohort_dir / "runs" / name / "checkpoints" / "align"
    assert sorted(path.name for path in folder.iterdir()) == [
        "step-00000002", "step-00000004", "step-00000006"
    ]  # fmt: skip
    DAMAGE[kind](folder / "step-00000006")
    sink = narrator()
    run_dir = train_one(cohort_dir, settings, "align", name, resume=True, progress=sink)
    warnings = [line for line in sink.lines if line.startswith("warning")]
    assert len(warnings) == 1
    assert "align/step-00000006" in warnings[0]
    assert outcome(run_dir, "align") == uninterrupted["align"]


@pytest.mark.parametrize("prefetch", [0, 2, 4])
def test_reading_ahead_and_streaming_resume_alike(
    cohort_dir, settings, uninterrupted, narrator, power_cut, prefetch
):
    data = settings.data.model_copy(update={"memory_budget_gib": 0.0, "prefetch_batches": prefetch})
    streamed = settings.model_copy(update={"data": data})
    name = f"streamed-{prefetch}"
    with pytest.raises(power_cut):
        train_one(cohort_dir, streamed, "align", name, progress=narrator(("align", 5)))
    run_dir = train_one(cohort_dir, streamed, "align", name, resume=True)
    assert outcome(run_dir, "align")[0] == uninterrupted["align"][0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_at_the_step_and_resumes(
    cohort_dir, settings, uninterrupted, narrator, number
):
    class Signaller(narrator):
        def advance(self, task, amount=1, **figures):
            super().advance(task, amount, **figures)
            if (task, self.steps[task]) == ("align", 3):
                os.kill(os.getpid(), number)

    name = f"signal-{int(number)}"
    with pytest.raises(Interrupted, match="align stopped at step 3 of 9") as caught:
        train_one(cohort_dir, settings, "align", name, progress=Signaller())
    assert caught.value.exit_code == (130 if number == signal.SIGINT else 0)
    folder = cohort_dir / "runs" / name / "checkpoints" / "align" / "step-00000003"
    assert load_document(folder).step == 3
    run_dir = train_one(cohort_dir, settings, "align", name, resume=True)
    assert outcome(run_dir, "align") == uninterrupted["align"]


SCRIPT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.stages.train import run as train
settings = load_run_settings("tiny", overrides=sys.argv[3:])
train.run(Path(sys.argv[1]), settings, run_name=sys.argv[2], resume=True)
"""


def kill_and_go_on(cohort_dir: Path, name: str, num_lines: int) -> tuple[int, dict]:
    """Train in a process that dies by kill -9 once its metrics have so many lines; go on."""
    command = [sys.executable, "-P", "-c", SCRIPT, str(cohort_dir), name, *LENGTH]
    metrics = cohort_dir / "runs" / name / "metrics.jsonl"
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            if metrics.exists() and metrics.read_bytes().count(b"\n") >= num_lines:
                process.kill()
                break
            time.sleep(0.002)
    settings = load_run_settings("tiny", overrides=LENGTH)
    run_dir = train.run(cohort_dir, settings, run_name=name, resume=True).run_dir
    outcomes = {stage: outcome(run_dir, stage) for stage in STAGES}
    shutil.rmtree(run_dir)
    return process.returncode, outcomes


@pytest.mark.parametrize("num_lines", [5, 33])
def test_kill_9_changes_nothing(cohort_dir, uninterrupted, num_lines):
    code, outcomes = kill_and_go_on(cohort_dir, f"killed-{num_lines}", num_lines)
    assert code == -signal.SIGKILL
    assert outcomes == uninterrupted


@pytest.mark.slow
def test_kill_9_at_many_places_changes_nothing(cohort_dir, uninterrupted):
    """Eight places; `scripts/soak/training.py` does fifty at random moments, and more."""
    num_all = sum(len(losses) for losses, _ in uninterrupted.values())
    for place in range(8):
        num_lines = 1 + place * (num_all - 2) // 7
        _, outcomes = kill_and_go_on(cohort_dir, f"often-killed-{place}", num_lines)
        assert outcomes == uninterrupted, f"killed after {num_lines} lines"
