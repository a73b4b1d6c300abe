"""Training of a head: fine-tuning of an encoder, and supervised from random weights."""

import torch

from ptacl_core.arrays import Modality
from ptacl_core.config.training import FinetuneSettings, SupervisedSettings
from ptacl_core.models import RegressionHead, Regressor, TokenEncoder
from ptacl_core.runs.encoders import build_pooling
from ptacl_core.runs.folder import TrainingRun
from ptacl_core.stages.train.fit import StageSummary, StageTask, train_stage
from ptacl_core.stages.train.head_targets import read_cohort_targets, read_phenotypes
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
    """Train `encoder` with pooling and a head on the ten phenotypes, or the cohort's targets."""
    settings = run.settings
    is_own = isinstance(section, FinetuneSettings) and section.targets == "cohort"
    targets = (read_cohort_targets if is_own else read_phenotypes)(run, stage, modality)
    generator = torch.Generator().manual_seed(derive_seed(settings.seed, "weights", "head"))
    model = Regressor(
        encoder,
        build_pooling(settings, modality, section.pooling),
        RegressionHead(encoder.dim, len(targets.names), generator=generator),
    )
    views = build_views(settings, modality, section.ecg_augmentation, section.cine_augmentation)
    return train_stage(
        run,
        StageTask(
            stage=stage,
            module=RegressionStep(model, views, shares=targets.shares),
            optimisation=section.optimisation,
            modalities=(modality,),
            averaged_px=find_averaged_px(settings, section.cine_augmentation),
            health=HealthSpec("regression", {modality: encoder}),
            layer_decay=layer_decay,
            num_layers=encoder.num_layers + 1,
            layer_of=lambda name: _layer_of(encoder, name),
            targets=targets,
        ),
    )


def _layer_of(encoder: TokenEncoder, name: str) -> int:
    """Layers of the encoder, then one more for pooling and head."""
    within = name.removeprefix("model.encoder.")
    return encoder.num_layers if within == name else encoder.layer_of(within)
