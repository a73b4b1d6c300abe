"""An encoder that was pretrained in another cohort."""

import numpy as np
import pytest
import torch

from ptacl_core.config.preprocess import CineSettings, EcgSettings, PreprocessSettings
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.errors import CheckpointError, ConfigError
from ptacl_core.records import PHENOTYPE_NAMES, PreparedEcg
from ptacl_core.runs.encoders import load_encoder
from ptacl_core.shards import ShardEntry, ShardWriter
from ptacl_core.stages.train import run as train


def make_ecg_cohort(folder, preprocessing):
    """Shards of twelve patients with ECGs alone."""
    random = np.random.default_rng(5)
    writer = ShardWriter(folder / "shards", preprocessing=preprocessing, rows_per_shard=10)
    for index in range(12):
        signal = random.standard_normal((12, 5000)).astype(np.float32)
        writer.add(
            ShardEntry(
                patient=f"9000000{index:02d}",
                visit=2,
                split="train" if index > 2 else "val",
                ecg=PreparedEcg(signal, signal, np.arange(100, 5000, 400), 75.0),
                cine=None,
                attributes=dict.fromkeys(PHENOTYPE_NAMES),
            )
        )
    writer.finish()
    return folder


def align_with(cohort_dir, source, name):
    settings = load_run_settings(
        "tiny",
        overrides=[
            f'pretrained_from.ecg="{source}"', "pretrain_cmr.method=none",
            "align.num_frozen_blocks=1",
            "align.freeze_embeddings=true", "align.optimisation.steps=1",
        ],
    )  # fmt: skip
    train.run(cohort_dir, settings, stage="align", run_name=name)
    return load_encoder(cohort_dir / "runs" / name, "ecg", "align").encoder


def test_an_encoder_of_a_cohort_of_ecgs_alone_is_aligned_here(cohort_dir, tmp_path):
    """Its other modality may have been prepared in any way."""
    other = make_ecg_cohort(tmp_path, PreprocessSettings(cine=CineSettings(upper_percentile=99.0)))
    train.run(other, load_run_settings("tiny"), stage="ecg", run_name="ecgs")
    source = other / "runs" / "ecgs"
    aligned = align_with(cohort_dir, source, "foreign")
    before = load_encoder(source, "ecg", "pretrain").encoder.state_dict()
    after = aligned.state_dict()
    assert torch.equal(before["patch_embedding.weight"], after["patch_embedding.weight"])
    assert torch.equal(before["positions.table"], after["positions.table"])


def test_recordings_prepared_otherwise_are_refused_with_what_differs(cohort_dir, tmp_path):
    other = make_ecg_cohort(tmp_path, PreprocessSettings(ecg=EcgSettings(normalisation="record")))
    train.run(other, load_run_settings("tiny"), stage="ecg", run_name="ecgs")
    with pytest.raises(CheckpointError, match=r"ecg\.normalisation is 'record' there and 'group'"):
        align_with(cohort_dir, other / "runs" / "ecgs", "refused")


def test_another_encoder_is_refused_by_the_names_of_what_does_not_fit(cohort_dir, tmp_path):
    other = make_ecg_cohort(tmp_path, PreprocessSettings())
    wider = load_run_settings("tiny", overrides=["ecg_encoder.dim=24"])
    train.run(other, wider, stage="ecg", run_name="wide")
    with pytest.raises(CheckpointError, match=r"patch_embedding\.weight is \[24, 100\]"):
        align_with(cohort_dir, other / "runs" / "wide", "misfit")


def test_a_relative_path_and_a_missing_run_are_named(cohort_dir, tmp_path):
    with pytest.raises(ConfigError, match=r"relative path runs/ecgs"):
        load_run_settings("tiny", overrides=['pretrained_from.ecg="runs/ecgs"'])
    with pytest.raises(CheckpointError, match="run absent: stage ecg is not finished"):
        align_with(cohort_dir, tmp_path / "absent", "lost")
