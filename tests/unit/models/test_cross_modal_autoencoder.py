"""The CMAE-style peer."""

import pytest
import torch

from ptacl_core.config.encoders import CineEncoderSettings, CrossModalSettings, EcgEncoderSettings
from ptacl_core.errors import ConfigError
from ptacl_core.losses import cross_modal_loss, patient_alignment_loss, reconstruction_loss
from ptacl_core.models import CrossModalAutoencoder, build_cross_modal_autoencoder

ECG = EcgEncoderSettings(
    num_leads=2, num_samples=40, patch_samples=10, dim=16, depth=1, num_heads=2,
    position_init_std=0.02,
)  # fmt: skip
CINE = CineEncoderSettings(
    num_frames=4, size_px=8, patch_px=4, dim=16, depth=1, num_heads=2, position_init_std=0.02
)


def small(dropout: float) -> CrossModalAutoencoder:
    settings = CrossModalSettings(
        latent_dim=12, modality_dropout=dropout, decoder_dim=16, decoder_depth=1, decoder_heads=2
    )
    return build_cross_modal_autoencoder(
        ECG, CINE, settings, generator=torch.Generator().manual_seed(0)
    )


def inputs(batch: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    ecg = torch.randn(batch, 2, 40, generator=generator)
    return ecg, torch.rand(batch, 4, 8, 8, generator=generator)


def test_both_recordings_are_rebuilt_and_every_weight_learns():
    model = small(0.5)
    ecg, cine = inputs()
    result = model(ecg, cine, torch.Generator().manual_seed(1))
    assert result.ecg_latent.shape == result.cmr_latent.shape == (6, 12)
    assert torch.equal(result.ecg_target, ecg.view(6, 8, 10))
    assert result.cmr_prediction.shape == result.cmr_target.shape == (6, 8, 32)
    loss = cross_modal_loss(
        reconstruction_loss(result.ecg_prediction, result.ecg_target),
        reconstruction_loss(result.cmr_prediction, result.cmr_target),
        patient_alignment_loss(result.ecg_latent, result.cmr_latent, temperature=0.1),
    )
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_modality_dropout_leaves_one_latent_out():
    ecg, cine = torch.ones(4000, 3), torch.zeros(4000, 3)
    share = small(0.6)._merge(ecg, cine, torch.Generator().manual_seed(1))[:, 0]
    values, counts = share.unique(return_counts=True)
    assert values.tolist() == [0.0, 0.5, 1.0]
    assert (counts / 4000).tolist() == pytest.approx([0.3, 0.4, 0.3], abs=0.03)
    evaluated = small(0.6).eval()._merge(ecg, cine, torch.Generator())
    assert (evaluated == 0.5).all()


def test_full_dropout_gives_each_patient_one_of_the_two():
    merged = small(1.0)._merge(
        torch.ones(100, 1), torch.zeros(100, 1), torch.Generator().manual_seed(1)
    )
    assert set(merged.flatten().tolist()) == {0.0, 1.0}


def test_loss_is_the_stated_sum():
    parts = [torch.tensor(value) for value in (1.0, 2.0, 5.0)]
    assert cross_modal_loss(*parts).item() == pytest.approx(3.5)
    with pytest.raises(ConfigError, match=r"contrast_weight.*-0\.8125"):
        cross_modal_loss(*parts, contrast_weight=-0.8125)


def test_reconstruction_counts_every_value():
    prediction = torch.zeros(2, 3, 4)
    target = torch.arange(24.0).view(2, 3, 4)
    assert reconstruction_loss(prediction, target).item() == pytest.approx(
        target.square().mean().item()
    )


def test_convolutional_encoders_and_bad_dropout_are_refused():
    with pytest.raises(ConfigError, match="ResidualCineEncoder"):
        build_cross_modal_autoencoder(
            ECG, CineEncoderSettings(family="resnet", conv_width=8, dim=16, num_heads=2)
        )
    with pytest.raises(ConfigError, match=r"1\.1875"):
        CrossModalAutoencoder(
            small(0.5).ecg_encoder, small(0.5).cine_encoder, modality_dropout=1.1875
        )
