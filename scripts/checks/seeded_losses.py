"""Losses of all stages from fixed seeds, to the bit: what a change of speed must leave as it was.

    python scripts/checks/seeded_losses.py > before.txt      (at the commit before)
    python scripts/checks/seeded_losses.py > after.txt; diff before.txt after.txt

Every line of every stage's log in fp32 on the CPU with one thread, training and validation, then
the embeddings and R² that follow, floats in hexadecimal. Two machines may differ; two commits on
one machine may not.
"""

import hashlib
import sys
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ptacl_core.cohort import Cohort
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.stages.embed import run as embed
from ptacl_core.stages.evaluate import run as evaluate
from ptacl_core.stages.simulate import run as simulate
from ptacl_core.stages.train import run as train
from ptacl_core.train.metrics_log import read_metrics

NUM_PATIENTS = 140
BARE = ("pretrain_ecg.method=none", "pretrain_cmr.method=none", "stages=['align']")
RUNS = {
    "all stages": (),
    "simclr": ("pretrain_ecg.method=simclr", "pretrain_cmr.method=simclr", "stages=['ecg','cmr']"),
    "convolutional": (
        *BARE, "align.local_loss=none", "ecg_encoder.family=conv", "ecg_encoder.conv_width=8",
        "cmr_encoder.family=resnet", "cmr_encoder.conv_width=8", "align.projection.kind=mlp",
    ),
    "cosine": (*BARE, "align.local_loss=cosine"),
    "cross-modal": (*BARE, "align.method=autoencoder"),
    "pieces": (*BARE, "compute.rows_per_piece=3", "compute.recompute_blocks=true"),
}  # fmt: skip
PATIENTLY_LOGGED = ("pretrain_ecg", "pretrain_cmr", "align", "finetune", "supervised")


def print_run(cohort: Path, title: str, changes: tuple[str, ...]) -> None:
    """Train one run and print its log."""
    logged = [f"{section}.optimisation.log_every_steps=1" for section in PATIENTLY_LOGGED]
    name = title.replace(" ", "-")
    overrides = ["device=cpu", "precision=fp32", *logged, *changes]
    train.run(cohort, load_run_settings("tiny", overrides=overrides), run_name=name)
    for line in read_metrics(cohort / "runs" / name / "metrics.jsonl"):
        figures = " ".join(
            f"{key}={value.hex()}"
            for key, value in sorted(line.items())
            if isinstance(value, float) and "loss" in key
        )
        if figures:
            print(f"{title}: {line['stage']} step {line['step']}: {figures}")


def print_measured(cohort: Path, name: str) -> None:
    """Embeddings of a run, and its R²."""
    embed.run(cohort, run=name, device="cpu")
    document = evaluate.run(cohort, run=name, num_resamples=50, device="cpu")
    with Cohort.open(cohort) as opened:
        for modality in ("ecg", "cmr"):
            for space in ("pooled", "projected"):
                vectors = opened.embeddings(name, modality, space).vectors
                digest = hashlib.sha256(vectors.tobytes()).hexdigest()[:16]
                print(f"embeddings of {modality} ({space}): {digest}")
    for row in document.rows:
        print(f"R² of {row.key}: {row.mean.r2.hex() if row.mean.r2 is not None else None}")


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        cohort = Path(folder) / "cohort"
        simulate.run(cohort, preset="tiny", num_patients=NUM_PATIENTS)
        for title, changes in RUNS.items():
            print_run(cohort, title, changes)
        print_measured(cohort, "all-stages")


if __name__ == "__main__":
    main()
