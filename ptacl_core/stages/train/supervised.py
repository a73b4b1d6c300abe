"""Supervised training from random weights: the rows that need no pretraining."""

from ptacl_core.arrays import Modality
from ptacl_core.runs.encoders import build_encoder
from ptacl_core.runs.folder import TrainingRun
from ptacl_core.stages.train.fit import StageSummary
from ptacl_core.stages.train.regression import train_regressor


def train_supervised(run: TrainingRun, modality: Modality) -> StageSummary:
    """Train stage `supervised-<modality>`."""
    section = run.settings.supervised
    encoder = build_encoder(run.settings, modality, drop_path=section.drop_path)
    return train_regressor(run, f"supervised-{modality}", modality, encoder, section)
