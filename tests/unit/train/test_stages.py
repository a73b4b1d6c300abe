"""Whole stages on real shards of noise patients: what is written, skipped, refused, reused."""

import json
import math
import shutil
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch

from ptacl_core.errors import CheckpointError, CohortLockedError, ConfigError, ShardError
from ptacl_core.models import PatchTransformer
from ptacl_core.models.parts.transformer import TransformerBlock
from ptacl_core.runs.encoders import load_encoder
from ptacl_core.shards import ShardReader
from ptacl_core.stages.train import run as train
from ptacl_core.train.metrics_log import read_metrics


@pytest.fixture(scope="module")
def whole_run(cohort_dir):
    from ptacl_core.config.run_presets import load_run_settings

    return train.run(cohort_dir, load_run_settings("tiny"), run_name="whole")


def test_all_trains_every_stage_of_the_preset(whole_run):
    assert [summary.stage for summary in whole_run.stages] == [
        "ecg", "cmr", "align", "finetune-ecg", "supervised-ecg", "supervised-cmr"
    ]  # fmt: skip
    assert [summary.steps for summary in whole_run.stages] == [3, 3, 4, 3, 3, 3]
    document = whole_run.as_dict()
    assert set(document) == {"run", "stage", "steps", "loss", "samples_per_s", "health"}
    assert (document["run"], document["stage"], document["steps"]) == ("whole", "all", 19)
    json.dumps(document, allow_nan=False)


def test_metrics_have_a_line_per_step_with_the_figures_of_the_stage(whole_run):
    lines = read_metrics(whole_run.run_dir / "metrics.jsonl")
    steps = [line for line in lines if "loss" in line and line["stage"] == "align"]
    assert [line["step"] for line in steps] == [1, 2, 3, 4]
    assert set(steps[0]) == {
        "stage", "step", "loss", "learning_rate", "samples_per_s", "patient_loss",
        "temporal_loss", "temporal_loss_excess", "alignment_top1", "alignment_within1",
        "valid_fraction",
    }  # fmt: skip
    validated = [line for line in lines if "val_loss" in line and line["stage"] == "align"]
    assert [line["step"] for line in validated] == [2, 4]
    top1 = np.array([line["val_alignment_top1"] for line in validated], float)
    assert ((top1 >= 0) & (top1 <= 1)).all()


def test_files_of_a_run_are_private(whole_run):
    for path in [whole_run.run_dir, *whole_run.run_dir.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize(
    ("modality", "stage", "has_projection", "has_head"),
    [
        ("ecg", "random", False, False),
        ("ecg", "pretrain", False, False),
        ("cmr", "pretrain", False, False),
        ("ecg", "align", True, False),
        ("cmr", "align", True, False),
        ("ecg", "finetune", False, True),
        ("cmr", "supervised", False, True),
    ],
)
def test_encoders_can_be_loaded_after_every_stage(
    whole_run, modality, stage, has_projection, has_head
):
    loaded = load_encoder(whole_run.run_dir, modality, stage)
    shape = (2, 12, 2500) if modality == "ecg" else (2, 26, 84, 84)
    with torch.no_grad():
        tokens = loaded.encoder.tokens(torch.rand(shape))
    assert tokens.shape == (2, loaded.encoder.num_tokens, 16)
    assert torch.isfinite(tokens).all()
    assert (loaded.projection is not None) == has_projection
    assert (loaded.head is not None) == has_head
    if has_head:
        assert loaded.document is not None
        assert loaded.document.target_mean is not None
        assert loaded.document.target_mean[0] == pytest.approx(100, abs=20)


def test_stages_change_the_encoder_and_hand_it_on(whole_run):
    def weights(stage):
        encoder = load_encoder(whole_run.run_dir, "ecg", stage).encoder
        assert isinstance(encoder, PatchTransformer)
        block = encoder.blocks[0]
        assert isinstance(block, TransformerBlock)
        return block.feed_forward.expand

    stages = [weights(stage).weight for stage in ("random", "pretrain", "align", "finetune")]
    for early, late in pairwise(stages):
        change = (late - early).norm() / early.norm()
        assert 0 < change < 0.5


def test_a_finished_run_is_skipped_with_resume_and_refused_without(whole_run, cohort_dir, tiny):
    again = train.run(cohort_dir, tiny(), run_name="whole", resume=True)
    assert [summary.loss for summary in again.stages] == [s.loss for s in whole_run.stages]
    with pytest.raises(CheckpointError, match=r"stage ecg was finished before.*--resume"):
        train.run(cohort_dir, tiny(), run_name="whole")


def test_other_settings_under_the_same_name_are_refused(whole_run, cohort_dir, tiny):
    with pytest.raises(ConfigError, match=r"align\.sigma \(0\.1 there, 0\.25 now\)"):
        train.run(cohort_dir, tiny("align.sigma=0.25"), run_name="whole", resume=True)


def test_settings_that_change_no_result_may_differ(whole_run, cohort_dir, tiny):
    settings = tiny("data.memory_budget_gib=0.001", "data.prefetch_batches=1", "notes=elsewhere")
    train.run(cohort_dir, settings, run_name="whole", resume=True)


def test_pretraining_can_be_taken_from_another_run(whole_run, cohort_dir, tiny):
    settings = tiny(
        "pretrained_from.ecg=whole", "pretrained_from.cmr=whole", "stages=['ecg', 'align']"
    )
    summary = train.run(cohort_dir, settings, run_name="borrower")
    assert [stage.stage for stage in summary.stages] == ["align"]
    here, there = (
        load_encoder(cohort_dir / "runs" / name, "ecg", "pretrain")
        for name in ("borrower", "whole")
    )
    assert here.sha256 == there.sha256
    same = [line for line in read_metrics(summary.run_dir / "metrics.jsonl") if "loss" in line]
    first = [
        line
        for line in read_metrics(whole_run.run_dir / "metrics.jsonl")
        if "loss" in line and line["stage"] == "align"
    ]
    assert [line["loss"] for line in same] == [line["loss"] for line in first]


def test_alignment_without_its_pretraining_is_refused(cohort_dir, tiny):
    with pytest.raises(CheckpointError, match="stage ecg is not finished"):
        train.run(cohort_dir, tiny(), stage="align", run_name="hasty")


def test_without_pretraining_nothing_is_frozen(cohort_dir, tiny, narrator):
    sink = narrator()
    settings = tiny(
        "pretrain_ecg.method=none",
        "pretrain_cmr.method=none",
        "align.num_frozen_blocks=1",
        "align.freeze_embeddings=true",
        "stages=['ecg', 'cmr', 'align']",
    )
    summary = train.run(cohort_dir, settings, run_name="scratch", progress=sink)
    assert [stage.stage for stage in summary.stages] == ["align"]
    assert sum("random weights, unfrozen" in line for line in sink.lines) == 2
    before = load_encoder(summary.run_dir, "ecg", "align").encoder
    assert all(value.requires_grad for value in before.parameters())


def test_frozen_blocks_stay_as_pretraining_left_them(cohort_dir, tiny):
    settings = tiny(
        "align.num_frozen_blocks=1",
        "align.freeze_embeddings=true",
        "ecg_encoder.depth=2",
        "cmr_encoder.depth=2",
        "stages=['ecg', 'cmr', 'align']",
    )
    summary = train.run(cohort_dir, settings, run_name="frozen")
    for modality in ("ecg", "cmr"):
        before, after = (
            load_encoder(summary.run_dir, modality, stage).encoder.state_dict()
            for stage in ("pretrain", "align")
        )
        moved = {name for name in before if not torch.equal(before[name], after[name])}
        assert moved
        assert all(name.startswith("blocks.1.") for name in moved)


@pytest.mark.parametrize("method", ["simclr"])
def test_simclr_and_the_convolutional_families_train(cohort_dir, tiny, method):
    settings = tiny(
        f"pretrain_ecg.method={method}",
        "ecg_encoder.family=conv",
        "ecg_encoder.conv_width=8",
        "cmr_encoder.family=resnet",
        "cmr_encoder.conv_width=8",
        "pretrain_cmr.method=none",
        "align.local_loss=none",
        "align.projection.kind=mlp",
        "stages=['ecg', 'align']",
    )
    summary = train.run(cohort_dir, settings, run_name=f"families-{method}")
    assert [stage.steps for stage in summary.stages] == [3, 4]
    assert load_encoder(summary.run_dir, "cmr", "align").encoder.grid[0] == 1


def test_the_cross_modal_autoencoder_trains(cohort_dir, tiny):
    settings = tiny("align.method=autoencoder", "align.optimisation.steps=30", "stages=['align']",
                    "pretrain_ecg.method=none", "pretrain_cmr.method=none")  # fmt: skip
    summary = train.run(cohort_dir, settings, run_name="cross-modal")
    lines = read_metrics(summary.run_dir / "metrics.jsonl")
    key = "cmr_reconstruction_loss"
    losses = np.array([line[key] for line in lines if key in line], float)
    assert losses[-1] < 0.5 * losses[0]
    assert load_encoder(summary.run_dir, "ecg", "align").projection is not None


def test_masked_pretraining_of_a_convolutional_encoder_is_refused(cohort_dir, tiny):
    with pytest.raises(ConfigError, match="needs the encoder family 'vit'"):
        train.run(cohort_dir, tiny("ecg_encoder.family=conv"), stage="ecg", run_name="conv-mae")


def test_online_probe_is_logged(cohort_dir, tiny):
    settings = tiny(
        "align.optimisation.probe_every_validations=2", "stages=['ecg', 'cmr', 'align']"
    )
    summary = train.run(cohort_dir, settings, run_name="probed")
    lines = read_metrics(summary.run_dir / "metrics.jsonl")
    probed = [line for line in lines if "val_probe_r2_ecg" in line]
    assert [line["step"] for line in probed] == [4]
    assert {"val_probe_r2_cmr", "val_pair_recall_at_1", "val_pair_recall_at_5"} <= set(probed[0])


def test_a_second_trainer_on_the_run_is_refused(cohort_dir, tiny):
    directory = cohort_dir / "runs" / "busy"
    script = (
        "import sys; from pathlib import Path; from ptacl_core.safety.files.lock import hold_lock\n"
        "with hold_lock(Path(sys.argv[1]), purpose='training'):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-P", "-c", script, str(directory / "trainer.lock")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(CohortLockedError, match=f"process {process.pid}, training"):
            train.run(cohort_dir, tiny(), run_name="busy")
        process.kill()
    train.run(cohort_dir, tiny(), stage="ecg", run_name="busy")


@pytest.mark.parametrize("stage", ["ecg", "align"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_recording_that_is_not_finite_is_skipped_and_named(
    cohort_dir, tmp_path, tiny, narrator, stage, value
):
    cohort = tmp_path / "poisoned"
    shutil.copytree(cohort_dir / "shards", cohort / "shards")
    with ShardReader.open(cohort) as reader:
        row = int(reader.rows("train")[2])
        place = [reader.table.column(name)[row].as_py() for name in ("shard", "ecg_row")]
    signals = np.load(cohort / "shards" / place[0] / "ecg.npy", mmap_mode="r+")
    signals[place[1], 3] = value
    signals.flush()
    sink = narrator()
    none = "pretrain_ecg.method=none", "pretrain_cmr.method=none"
    settings = tiny("stages=['align']", *none) if stage == "align" else tiny()
    summary = train.run(cohort, settings, stage=stage, progress=sink)
    skipped = [line for line in sink.lines if line.startswith("skipped")]
    assert skipped
    assert all(f"the ECG of manifest row {row} holds" in line for line in skipped)
    final = load_encoder(summary.run_dir, "ecg", "pretrain" if stage == "ecg" else "align")
    assert all(torch.isfinite(values).all() for values in final.encoder.parameters())


def test_a_cohort_without_recordings_of_a_modality_is_refused(tmp_path, tiny):
    with pytest.raises(ShardError, match="no shards"):
        train.run(tmp_path, tiny())


def test_mixed_precision_trains(cohort_dir, tiny):
    settings = tiny("precision=bf16", "stages=['ecg', 'cmr', 'align']")
    summary = train.run(cohort_dir, settings, run_name="bf16")
    plain = train.run(cohort_dir, tiny("stages=['ecg', 'cmr', 'align']"), run_name="fp32")
    assert summary.loss == pytest.approx(plain.loss, rel=0.05)
    assert summary.loss != plain.loss


def test_a_stage_that_learned_nothing_is_told_and_kept_with_the_run(whole_run):
    from ptacl_core.runs.health import explain_unfit, read_health

    health = read_health(whole_run.run_dir)
    assert health is not None
    assert set(health.stages) == {summary.stage for summary in whole_run.stages}
    ecg = health.stages["ecg"]
    assert not ecg.learned
    assert any("predicting the mean" in reason for reason in ecg.reasons)
    assert ecg.splits["training"].mean_predictor_loss == pytest.approx(1.0, abs=0.2)
    align = health.stages["align"].splits["training"]
    assert align.chance_loss == pytest.approx(math.log(8))
    assert set(align.spread) == {
        "ECG features", "CMR features", "ECG embeddings", "CMR embeddings"
    }  # fmt: skip
    assert whole_run.failures.keys() == health.failures.keys()
    assert "has not learned (align)" in (explain_unfit(whole_run.run_dir) or "")
    document = whole_run.as_dict()["health"]
    assert document["ecg"]["learned"] is False
    assert document["ecg"]["reasons"] == list(ecg.reasons)
    lines = read_metrics(whole_run.run_dir / "metrics.jsonl")
    last = [line for line in lines if line["stage"] == "align" and "health_learned" in line]
    assert last[-1]["health_learned"] == health.stages["align"].learned
    rank = last[-1]["health_training_effective_rank_ecg_embeddings"]
    assert isinstance(rank, float) and rank >= 1


def test_limits_of_the_verdict_are_settings_and_no_reason_to_refuse_a_run(cohort_dir, whole_run):
    from ptacl_core.config.run_presets import load_run_settings
    from ptacl_core.runs.health import read_health

    loose = load_run_settings("tiny", overrides=["health.reconstruction_share=9"])
    again = train.run(cohort_dir, loose, resume=True, run_name="whole")
    assert again.failures.keys() == whole_run.failures.keys()
    health = read_health(whole_run.run_dir)
    assert health is not None
    assert health.limits.reconstruction_share == 0.98
