"""Every named run of the paper's tables and of its peers, at a tiny size: trains, then embeds."""

from pathlib import Path

import numpy as np
import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.config.run_presets import list_run_presets, load_run_settings
from ptacl_core.stages.embed import run as embed
from ptacl_core.stages.evaluate import run as evaluate
from ptacl_core.stages.train import run as train

pytestmark = pytest.mark.xdist_group("trained")
SIZE = [
    "precision=fp32", "ecg_encoder.dim=16", "ecg_encoder.num_heads=2", "ecg_encoder.depth=1",
    "ecg_encoder.patch_samples=250", "cmr_encoder.dim=16", "cmr_encoder.num_heads=2",
    "cmr_encoder.depth=1", "cmr_encoder.patch_px=42", "cmr_encoder.conv_width=8",
    "ecg_encoder.conv_width=8", "align.projection.dim=8", "align.num_frozen_blocks=0",
    *(
        f"{place}.{key}=16"
        for place in ("pretrain_ecg.autoencoder", "pretrain_cmr.autoencoder", "align.decoder")
        for key in ("decoder_dim",)
    ),
    *(
        f"{section}.optimisation.{key}"
        for section in ("pretrain_ecg", "pretrain_cmr", "align", "finetune", "supervised")
        for key in (
            "steps=2", "batch_size=8", "patience=0", "validate_every_steps=2",
            "probe_every_validations=0",
        )
    ),
]  # fmt: skip
ALIGNED = [
    "paper-regression", "paper-retrieval", "paper-global", "paper-cossim", "paper-ed-es",
    "paper-no-pretraining", "eccl-style", "cmae-style", "mmcl-style", "conv-ecg",
    "control-stranger", "control-break-phase", "control-shuffled-steps",
    "control-shuffled-pairs", "ptacl2-shift", "ptacl2-phase", "ptacl2-both",
]  # fmt: skip
UNALIGNED = ["paper-mae-ecg", "paper-mae-cmr", "paper-simclr", "paper-supervised", "paper-finetune"]
PEERS = ["eccl-style", "cmae-style", "mmcl-style", "conv-ecg", "paper-ed-es"]


def train_tiny(cohort: Path, preset: str) -> train.TrainSummary:
    """The preset at a tiny size; rows that borrow from the run paper-regression find it."""
    settings = load_run_settings(preset, overrides=SIZE)
    return train.run(cohort, settings, stage="all", resume=True, run_name=preset)


@pytest.fixture(scope="module")
def cohort(trained_cohort) -> Path:
    train_tiny(trained_cohort, "paper-regression")
    return trained_cohort


def test_every_preset_is_tried_here():
    assert {*ALIGNED, *UNALIGNED} == set(list_run_presets()) - {
        "tiny", "demo", "demo-global", "workstation",
    }  # fmt: skip


@pytest.mark.parametrize("preset", ALIGNED)
def test_an_aligned_row_trains_and_embeds(cohort, preset):
    summary = train_tiny(cohort, preset)
    assert np.isfinite(summary.loss)
    embedded = embed.run(cohort, run=preset)
    assert embedded.dim == 16
    with Cohort.open(cohort) as store:
        for modality in ("ecg", "cmr"):
            vectors = store.embeddings(preset, modality, "projected").vectors
            assert vectors.shape == (embedded.ecg, 8)
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("preset", UNALIGNED)
def test_a_row_of_one_modality_trains(cohort, preset):
    summary = train_tiny(cohort, preset)
    assert np.isfinite(summary.loss)
    assert all(stage.steps == 2 for stage in summary.stages)


@pytest.mark.parametrize("preset", ["cmae-style", "mmcl-style"])
def test_a_peer_that_is_built_differently_is_evaluated(cohort, preset):
    train_tiny(cohort, preset)
    embed.run(cohort, run=preset)
    document = evaluate.run(cohort, run=preset, num_resamples=100, with_baselines=False).as_dict()
    for modality in ("ecg", "cmr"):
        assert np.isfinite([row["r2"] for row in document["regression"][modality].values()]).all()
    assert 0 <= document["retrieval"]["included"]["lvef_pct"]["p_at_1"] <= 1


@pytest.mark.parametrize("preset", PEERS)
def test_the_notes_say_in_what_a_peer_departs(preset):
    notes = load_run_settings(preset).notes.lower()
    assert "departs from" in notes
