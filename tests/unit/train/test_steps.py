import math
from typing import Any

import numpy as np
import pytest
import torch

from ptacl_core.config.encoders import CineEncoderSettings, EcgEncoderSettings
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.losses import masked_reconstruction_loss, nt_xent_loss
from ptacl_core.models import (
    AttentionPooling,
    MaskedAutoencoder,
    MeanPooling,
    PatchTransformer,
    RegressionHead,
    Regressor,
    SimclrHead,
    SimclrModel,
    build_cine_encoder,
    build_ecg_encoder,
    build_two_tower,
    count_parameters,
)
from ptacl_core.runs.encoders import build_towers
from ptacl_core.stages.train.regression import _layer_of
from ptacl_core.train.batches import Batches, FixedOrder
from ptacl_core.train.optimizer import build_optimizer, set_learning_rate
from ptacl_core.train.randomness import seed_step
from ptacl_core.train.recordings import ResidentRecordings
from ptacl_core.train.steps.alignment import AlignmentStep
from ptacl_core.train.steps.alignment_weights import AlignmentWeights
from ptacl_core.train.steps.pretraining import MaskedAutoencoderStep, SimclrStep
from ptacl_core.train.steps.regression import RegressionStep
from ptacl_core.train.views import CineViews, EcgViews

CPU = torch.device("cpu")
ECG = EcgEncoderSettings(dim=16, num_heads=2, depth=1, patch_samples=100, layer_scale_init=0.0)
CINE = CineEncoderSettings(dim=16, num_heads=2, depth=1, patch_px=42, layer_scale_init=0.0)
ECG_VIEWS = EcgViews(crop_samples=2500, patch_samples=100, num_steps=13)
CINE_VIEWS = CineViews(num_frames=26)
PAPER: dict[str, Any] = {"temperature_global": 0.1, "temperature_local": 1.0, "sigma": 0.1}


@pytest.fixture
def batch(reader):
    rows = reader.rows("train")[:4]
    recordings = ResidentRecordings(reader, rows, modalities=("ecg", "cmr"), device=CPU)
    targets = np.zeros((4, 10), np.float32)
    targets[0] = np.nan
    targets[1, 0] = 2.0
    return Batches(
        FixedOrder(4, 4),
        rows,
        recordings,
        r_peaks=reader.r_peaks(rows),
        targets=targets,
    ).load(0)


def draws_of(step=0):
    return seed_step(seed=1, stage="test", step=step, device=CPU)


def towers_of(seed=0):
    return build_two_tower(ECG, CINE, generator=torch.Generator().manual_seed(seed))


def align_of(towers=None, **changes):
    weights = AlignmentWeights(**{**PAPER, "beta": 1.0, **changes})
    return AlignmentStep(towers or towers_of(), ECG_VIEWS, CINE_VIEWS, weights)


def gradients(module):
    return {
        name: value.grad.abs().sum().item()
        for name, value in module.named_parameters()
        if value.grad is not None
    }


def test_alignment_is_eq4_of_its_parts(batch):
    output = align_of(beta=0.5).train()(batch, draws_of())
    patient, temporal = output.figures["patient_loss"], output.figures["temporal_loss"]
    assert output.loss.item() == pytest.approx(patient.item() + 0.5 * temporal.item(), rel=1e-6)
    assert output.figures["valid_fraction"].item() == 1.0
    assert output.figures["temporal_loss_excess"].item() == pytest.approx(
        temporal.item() - 1.5411, abs=1e-3
    )
    assert 0 <= output.figures["alignment_top1"] <= output.figures["alignment_within1"] <= 1


def test_an_untrained_pair_costs_what_chance_costs(batch):
    output = align_of().eval()(batch, draws_of())
    assert output.figures["temporal_loss"].item() == pytest.approx(math.log(13), abs=0.3)


def test_global_descends_eq1_alone_and_watches_eq3(batch):
    step = align_of(beta=0.0)
    output = step.train()(batch, draws_of())
    assert output.loss.item() == output.figures["patient_loss"].item()
    assert output.figures["temporal_loss"].item() > 0
    output.loss.backward()
    other = align_of(local_loss="none")
    other.train()(batch, draws_of()).loss.backward()
    assert gradients(step) == gradients(other)


@pytest.mark.parametrize("kind", ["contrast", "cosine", "ed_es"])
def test_every_local_loss_moves_both_encoders_and_no_projection(batch, kind):
    step = align_of(local_loss=kind)
    step.train()(batch, draws_of()).figures["temporal_loss"].backward()
    moved = {name.split(".")[1] for name in gradients(step)}
    assert moved == {"ecg_encoder", "cine_encoder"}


def test_patients_without_a_beat_stay_in_the_global_loss_only(batch):
    step = align_of()
    nobody = type(batch)(
        **{field: getattr(batch, field) for field in batch.__dataclass_fields__}
        | {"r_peaks": tuple(np.empty(0, np.int64) for _ in range(4))}
    )
    output = step.train()(nobody, draws_of())
    assert output.figures["temporal_loss"].item() == 0.0
    assert output.figures["valid_fraction"].item() == 0.0
    assert output.loss.item() == output.figures["patient_loss"].item()
    output.loss.backward()
    assert all(math.isfinite(value) for value in gradients(step).values())


def test_a_frozen_cine_encoder_stays_as_it_is(batch):
    towers = towers_of()
    step = AlignmentStep(
        towers,
        ECG_VIEWS,
        CINE_VIEWS,
        AlignmentWeights(**PAPER, beta=0.0),
        is_cine_frozen=True,
    ).train()
    assert not towers.cine_encoder.training
    assert towers.ecg_encoder.training
    step(batch, draws_of()).loss.backward()
    moved = {name.split(".")[1] for name in gradients(step)}
    assert moved == {"ecg_encoder", "ecg_projection", "cine_projection"}


def test_masked_autoencoder_step_reports_the_loss_of_the_mean_in_evaluation(batch):
    encoder = build_ecg_encoder(ECG, generator=torch.Generator().manual_seed(0))
    assert isinstance(encoder, PatchTransformer)
    autoencoder = MaskedAutoencoder(
        encoder, masked_reconstruction_loss, mask_ratio=0.75, decoder_dim=16, decoder_heads=2
    )
    step = MaskedAutoencoderStep(autoencoder, ECG_VIEWS)
    output = step.eval()(batch, draws_of())
    assert output.figures["mean_prediction_loss"].item() == pytest.approx(1.0, abs=0.05)
    assert torch.equal(output.loss, step.eval()(batch, draws_of()).loss)
    assert not torch.equal(output.loss, step.eval()(batch, draws_of(1)).loss)


def test_a_paper_sized_alignment_trains_as_many_weights_as_the_paper():
    settings = load_run_settings("paper-regression")
    towers = build_towers(settings)
    for encoder in (towers.ecg_encoder, towers.cine_encoder):
        encoder.freeze_first(
            settings.align.num_frozen_blocks, embeddings=settings.align.freeze_embeddings
        )
    assert count_parameters(towers.ecg_encoder) == 19_251_712
    assert count_parameters(towers.cine_encoder) == 13_086_720
    optimizer = build_optimizer(towers, weight_decay=0.05, betas=(0.9, 0.999))
    held = sum(p.numel() for group in optimizer.param_groups for p in group["params"])
    assert held == 12_611_584 + 6_305_792 + 2 * 512 * 128


def test_fine_tuning_rates_rise_from_the_embeddings_to_the_head():
    encoder = build_ecg_encoder(ECG.model_copy(update={"depth": 2}))
    model = RegressionStep(
        Regressor(encoder, AttentionPooling(16, 2), RegressionHead(16)), ECG_VIEWS
    )
    optimizer = build_optimizer(
        model,
        weight_decay=0.0,
        betas=(0.9, 0.999),
        layer_decay=0.5,
        num_layers=encoder.num_layers + 1,
        layer_of=lambda name: _layer_of(encoder, name),
    )
    set_learning_rate(optimizer, 1.0)
    rates = {
        name: group["lr"]
        for name, value in model.named_parameters()
        for group in optimizer.param_groups
        if any(value is held for held in group["params"])
    }
    expected = {
        "patch_embedding": 1 / 16, "positions": 1 / 16, "blocks.0": 1 / 8, "blocks.1": 1 / 4,
        "final_norm": 1 / 2, "pooling": 1.0, "head": 1.0,
    }  # fmt: skip
    for name, rate in rates.items():
        part = name.removeprefix("model.").removeprefix("encoder.")
        assert rate == next(expected[key] for key in expected if part.startswith(key)), name


def test_simclr_step_contrasts_two_augmented_views(batch):
    encoder = build_cine_encoder(CINE, generator=torch.Generator().manual_seed(0))
    model = SimclrModel(encoder, SimclrHead(16, 8, generator=torch.Generator().manual_seed(0)))
    step = SimclrStep(model, CINE_VIEWS, temperature=0.1).train()
    output = step(batch, draws_of())
    draws = draws_of()
    first = CINE_VIEWS.draw(batch, draws, is_training=True)
    second = CINE_VIEWS.draw(batch, draws, is_training=True)
    assert not torch.equal(first, second)
    expected = nt_xent_loss(*model(first, second), temperature=0.1)
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_regression_step_counts_present_phenotypes_only(batch):
    encoder = build_ecg_encoder(ECG, generator=torch.Generator().manual_seed(0))
    head = RegressionHead(16)
    torch.nn.init.zeros_(head.linear.weight)
    step = RegressionStep(Regressor(encoder, MeanPooling(), head), ECG_VIEWS).train()
    assert step(batch, draws_of()).loss.item() == pytest.approx(4.0 / 30)
