"""Training on the phenotypes: fine-tuning of an encoder, and supervised from random weights."""

import numpy as np
import torch

from ptacl_core.arrays import Modality
from ptacl_core.config.training import FinetuneSettings, SupervisedSettings
from ptacl_core.errors import ShardError
from ptacl_core.models import RegressionHead, Regressor, TokenEncoder
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.runs.encoders import build_pooling
from ptacl_core.runs.folder import TrainingRun
from ptacl_core.stages.train.fit import StageSummary, StageTask, train_stage
from ptacl_core.stages.train.health import HealthSpec
from ptacl_core.stages.train.views import build_views, find_averaged_px
from ptacl_core.train.randomness import derive_seed
from ptacl_core.train.steps.regression import RegressionStep


def train_regressor(
    run: TrainingRun,
    stage: str,
    modality: Modality,
    encoder: TokenEncoder,
    section: FinetuneSettings | SupervisedSettings,
    *,
    layer_decay: float = 1.0,
) -> StageSummary:
    """Train `encoder` with pooling and a head on the ten phenotypes, z-scored by train."""
    settings = run.settings
    generator = torch.Generator().manual_seed(derive_seed(settings.seed, "weights", "head"))
    model = Regressor(
        encoder,
        build_pooling(settings, modality, section.pooling),
        RegressionHead(encoder.dim, generator=generator),
    )
    mean, sd = _measure_targets(run, stage, modality)
    views = build_views(settings, modality, section.ecg_augmentation, section.cine_augmentation)
    return train_stage(
        run,
        StageTask(
            stage=stage,
            module=RegressionStep(model, views),
            optimisation=section.optimisation,
            modalities=(modality,),
            averaged_px=find_averaged_px(settings, section.cine_augmentation),
            health=HealthSpec("regression", {modality: encoder}),
            layer_decay=layer_decay,
            num_layers=encoder.num_layers + 1,
            layer_of=lambda name: _layer_of(encoder, name),
            target_mean=mean,
            target_sd=sd,
        ),
    )


def _layer_of(encoder: TokenEncoder, name: str) -> int:
    """Layers of the encoder, then one more for pooling and head."""
    within = name.removeprefix("model.encoder.")
    return encoder.num_layers if within == name else encoder.layer_of(within)


def _measure_targets(
    run: TrainingRun, stage: str, modality: Modality
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each phenotype over the training patients.

    To three digits: they stay with the weights when a person leaves, and from exact ones the
    person's phenotypes would follow, as what the others' do not sum up to.
    """
    values = run.reader.phenotypes(run.reader.rows("train", needs=(modality,)))
    counts = np.isfinite(values).sum(axis=0)
    if (counts < 2).any():
        lacking = ", ".join(np.asarray(PHENOTYPE_NAMES)[counts < 2])
        raise ShardError(
            f"stage {stage}: fewer than two training patients have {lacking}; "
            "give phenotypes with `ptacl preprocess --phenotypes`"
        )
    sd = np.nanstd(values, axis=0)
    return (
        tuple(map(_round_to_three_digits, np.nanmean(values, axis=0).tolist())),
        tuple(map(_round_to_three_digits, np.where(sd > 0, sd, 1.0).tolist())),
    )


def _round_to_three_digits(value: float) -> float:
    return float(f"{value:.3g}")
