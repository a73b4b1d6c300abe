"""Every stage of the pipeline on the pretended device, and the waits that its loop may have."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.config.training import RunSettings
from ptacl_core.stages.train import run as train
from ptacl_core.train.metrics_log import read_metrics
from tests.cuda.pretended.ledger import Ledger

LOG_EVERY = 2
NUM_STEPS = 4
PACE = (("log_every_steps", LOG_EVERY), ("steps", NUM_STEPS), ("batch_size", 4))
SECTIONS = ("pretrain_ecg", "pretrain_cmr", "align", "finetune", "supervised")
AT_A_LINE = {"train/told_steps.py:tell", "train/distributed.py:average_figures"}
"""Where the host may read of the device: when a line of the log is due."""
AT_START_AND_END = re.compile(
    r"train/recordings\.py:__init__|checkpoint\.py|train/checkpointing\.py|train/optimizer\.py:"
    r"(restore|optimizer_tensors)|stages/train/|train/distributed\.py:average_sums|embedding/"
)
"""Reading recordings, saving, the end of a validation and the online probe."""


@dataclass(frozen=True)
class Loop:
    """What the host waited for in the steps of a run, by place."""

    lines: int
    looks: int
    waits: dict[str, int]


def settings_of(precision: str, changes: Sequence[str] = ()) -> RunSettings:
    """The preset `tiny` on the device, with lines of the log apart from each other."""
    pace = [f"{section}.optimisation.{key}={value}" for section in SECTIONS for key, value in PACE]
    return load_run_settings(
        "tiny", overrides=["device=cuda", f"precision={precision}", *pace, *changes]
    )


def train_on_device(
    cohort: Path, ledger: Ledger, name: str, precision: str, changes: Sequence[str] = ()
) -> Loop:
    """Train a run and sort what made the host wait."""
    ledger.clear()
    train.run(cohort, settings_of(precision, changes), run_name=name)
    places = {f"{wait.kind} {wait.operation} at {wait.place}": wait for wait in ledger.waits}
    counts = ledger.by_place()
    in_loop = {
        text: counts[text]
        for text, wait in places.items()
        if not AT_START_AND_END.match(wait.place)
    }
    lines = [
        line for line in read_metrics(cohort / "runs" / name / "metrics.jsonl") if "loss" in line
    ]
    looks = sum(count for text, count in in_loop.items() if "told_steps" in text)
    assert all(torch.isfinite(torch.tensor(line["loss"])) for line in lines)
    return Loop(len(lines), looks, in_loop)


def find_other_waits(loop: Loop) -> dict[str, int]:
    """What the host waited for between two lines of the log, by place; it should be nothing."""
    return {
        text: count
        for text, count in loop.waits.items()
        if text.rpartition(" at ")[2] not in AT_A_LINE
    }
