"""The CMAE-style peer: one latent for both recordings, both rebuilt from it."""

import numpy as np
import pytest
import torch

from ptacl_core.config.encoders import CineEncoderSettings, EcgEncoderSettings, ProjectionSettings
from ptacl_core.errors import ConfigError
from ptacl_core.losses import cross_modal_loss, reconstruction_loss
from ptacl_core.models import (
    LatentDecoder,
    PatchTransformer,
    TokenEncoder,
    build_ecg_encoder,
    build_two_tower,
)
from ptacl_core.train.batches import Batch
from ptacl_core.train.randomness import seed_step
from ptacl_core.train.steps.cross_modal import CrossModalStep
from ptacl_core.train.views import CineViews, EcgViews

ECG = EcgEncoderSettings(dim=16, num_heads=2, depth=1, patch_samples=500, layer_scale_init=0.0)
CINE = CineEncoderSettings(dim=16, num_heads=2, depth=1, patch_px=42, layer_scale_init=0.0)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def decoder_of(encoder: TokenEncoder) -> LatentDecoder:
    assert isinstance(encoder, PatchTransformer)
    return LatentDecoder(encoder, 8, dim=16, depth=1, num_heads=2, generator=seeded())


def build_step(contrast_weight: float = 0.1) -> CrossModalStep:
    towers = build_two_tower(ECG, CINE, ProjectionSettings(dim=8), generator=seeded())
    return CrossModalStep(
        towers, decoder_of(towers.ecg_encoder), decoder_of(towers.cine_encoder),
        EcgViews(2500, 500, 13), CineViews(26),
        temperature=0.1, contrast_weight=contrast_weight,
    )  # fmt: skip


def draws_of(step: int = 0):
    return seed_step(seed=1, stage="align", step=step, device=torch.device("cpu"))


@pytest.fixture(scope="module")
def batch() -> Batch:
    random = np.random.default_rng(0)
    return Batch(
        epoch=0, index=0, rows=np.arange(4), start=0, global_size=4,
        ecg=torch.from_numpy(random.standard_normal((4, 12, 5000)).astype(np.float16)),
        cine=torch.from_numpy(random.integers(0, 256, (4, 50, 84, 84), dtype=np.uint8)),
    )  # fmt: skip


def test_a_latent_becomes_a_whole_recording_and_its_values_depend_on_it():
    encoder = build_ecg_encoder(ECG, generator=seeded())
    decoder = decoder_of(encoder)
    latent = torch.randn(3, 8, generator=seeded(), requires_grad=True)
    values = decoder(latent)
    assert values.shape == (3, 60, 500)
    gradient = torch.autograd.grad(values[0].square().sum(), latent)[0]
    assert gradient[0].abs().min() > 0
    assert gradient[1:].abs().max() == 0


def test_the_loss_is_the_sum_of_its_parts_and_every_weight_learns(batch):
    step = build_step(0.25).train()
    output = step(batch, draws_of())
    figures = output.figures
    expected = (
        figures["ecg_reconstruction_loss"]
        + figures["cmr_reconstruction_loss"]
        + 0.25 * figures["patient_loss"]
    )
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-6)
    output.loss.backward()
    assert all(value.grad is not None for value in step.parameters())


def test_modality_dropout_takes_each_latent_or_their_mean_a_third_of_the_time(batch):
    many = Batch(epoch=0, index=0, rows=np.arange(3000), start=0, global_size=3000)
    step = build_step()
    share = step.train().draw_share_of_ecg(many, draws_of())[:, 0]
    values, counts = share.unique(return_counts=True)
    assert values.tolist() == [0.0, 0.5, 1.0]
    assert (counts / 3000).tolist() == pytest.approx([1 / 3] * 3, abs=0.03)
    assert (step.eval().draw_share_of_ecg(many, draws_of()) == 0.5).all()


def test_the_cross_modal_loss_is_the_stated_sum():
    parts = [torch.tensor(value) for value in (1.0, 2.0, 5.0)]
    assert cross_modal_loss(*parts).item() == pytest.approx(3.5)
    with pytest.raises(ConfigError, match=r"contrast_weight.*-0\.8125"):
        cross_modal_loss(*parts, contrast_weight=-0.8125)


def test_reconstruction_counts_every_value():
    target = torch.arange(24.0, dtype=torch.float64).view(2, 3, 4)
    assert reconstruction_loss(torch.zeros_like(target), target).item() == pytest.approx(
        np.mean(np.arange(24.0) ** 2)
    )


def test_cross_modal_gradient_is_exact_in_float64():
    values = [torch.randn(2, 3, 4, dtype=torch.float64, generator=seeded()) for _ in range(2)]
    latents = torch.randn((), dtype=torch.float64, requires_grad=True)
    prediction = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda p, c: cross_modal_loss(
            reconstruction_loss(p, values[0]), reconstruction_loss(p, values[1]), c
        ),
        (prediction, latents),
    )
