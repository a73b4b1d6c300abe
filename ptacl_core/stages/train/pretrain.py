"""Single-modality pretraining of one encoder: masked autoencoder or SimCLR."""

import torch
from torch import nn

from ptacl_core.arrays import Modality
from ptacl_core.errors import ConfigError
from ptacl_core.losses import masked_reconstruction_loss
from ptacl_core.models import SimclrHead, SimclrModel, build_masked_autoencoder
from ptacl_core.runs.encoders import build_encoder
from ptacl_core.runs.folder import TrainingRun
from ptacl_core.stages.train.fit import StageSummary, StageTask, train_stage
from ptacl_core.stages.train.health import HealthSpec
from ptacl_core.stages.train.probe import build_probe
from ptacl_core.stages.train.views import build_views, find_averaged_px
from ptacl_core.train.randomness import derive_seed
from ptacl_core.train.steps.pretraining import MaskedAutoencoderStep, SimclrStep


def pretrain(run: TrainingRun, modality: Modality) -> StageSummary:
    """Pretrain the encoder of `modality` as the run's settings say; stage `ecg` or `cmr`.

    Raises ConfigError when the method is "none".
    """
    settings = run.settings
    section = settings.pretrain_ecg if modality == "ecg" else settings.pretrain_cmr
    encoder_settings = settings.ecg_encoder if modality == "ecg" else settings.cmr_encoder
    if section.method == "none":
        raise ConfigError(
            f"pretrain_{modality}.method is none: there is nothing to train in stage {modality}"
        )
    encoder = build_encoder(settings, modality)
    generator = torch.Generator().manual_seed(derive_seed(settings.seed, "weights", "decoder"))
    views = build_views(
        settings, modality, settings.pretrain_ecg.augmentation, settings.pretrain_cmr.augmentation
    )
    if section.method == "mae":
        autoencoder = build_masked_autoencoder(
            encoder,
            masked_reconstruction_loss,
            section.autoencoder,
            encoder_settings,
            generator=generator,
        )
        module: nn.Module = MaskedAutoencoderStep(autoencoder, views)
    else:
        head = SimclrHead(encoder.dim, section.projection_dim, generator=generator)
        module = SimclrStep(SimclrModel(encoder, head), views, temperature=section.temperature)
    return train_stage(
        run,
        StageTask(
            stage=modality,
            module=module,
            optimisation=section.optimisation,
            modalities=(modality,),
            averaged_px=find_averaged_px(settings, settings.pretrain_cmr.augmentation),
            health=HealthSpec(
                "autoencoder" if section.method == "mae" else "views", {modality: encoder}
            ),
            probe=build_probe(run, {modality: encoder}),
        ),
    )
