"""Rows of Table 2 beside the alignment: before training, after pretraining, whole networks."""

from typing import Literal

import numpy as np

from ptacl_core.arrays import Array, Float64, Modality
from ptacl_core.checkpoint import CheckpointDocument, CheckpointFolder
from ptacl_core.embedding.rows import encode_rows, regress_rows
from ptacl_core.errors import CheckpointError
from ptacl_core.models import Regressor, TokenEncoder
from ptacl_core.progress import ProgressSink
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.runs.choose import AlignedRun
from ptacl_core.runs.encoders import build_encoder, build_view, load_encoder
from ptacl_core.runs.health import stage_failures
from ptacl_core.shards import ShardReader
from ptacl_core.stages.evaluate.rows import EvaluationRows

MODALITIES: tuple[Modality, Modality] = ("ecg", "cmr")
NETWORK_STAGES: dict[Literal["finetune", "supervised"], tuple[str, str]] = {
    "finetune": ("finetuned", "Fine-tuned"),
    "supervised": ("supervised", "Supervised"),
}
"""Stage on disk: key of its row in Table 2, name."""


def add_baselines(
    rows: EvaluationRows, reader: ShardReader, aligned: AlignedRun, progress: ProgressSink
) -> None:
    """Linear probes of each encoder before training and after pretraining, where it had one.

    A pretraining that has not learned is marked.
    """
    device = next(aligned.ecg_encoder.parameters()).device
    for key in ("random", "pretrained"):
        for modality in MODALITIES:
            encoder = _baseline_encoder(aligned, key, modality)
            if encoder is None:
                continue
            train, test = (
                encode_rows(
                    reader,
                    split.rows,
                    modality,
                    encoder.to(device),
                    None,
                    aligned.view,
                    task=f"{key} {modality}",
                    progress=progress,
                ).pooled
                for split in (rows.train, rows.test)
            )
            name = "Random encoder" if key == "random" else _pretraining_name(aligned, modality)
            failures = () if key == "random" else _pretraining_failures(aligned, modality)
            rows.add_features(f"{key}-{modality}", name, modality, (train, test), failures=failures)


def add_networks(
    rows: EvaluationRows, reader: ShardReader, aligned: AlignedRun, progress: ProgressSink
) -> None:
    """Rows of the run's fine-tuned and supervised networks, with their own predictions.

    Raises CheckpointError when one of them was trained on other preprocessing.
    """
    device = next(aligned.ecg_encoder.parameters()).device
    for stage, (key, name) in NETWORK_STAGES.items():
        for modality in MODALITIES:
            folder = aligned.directory / "checkpoints" / f"{stage}-{modality}"
            if not CheckpointFolder(folder).is_finished:
                continue
            loaded = load_encoder(aligned.directory, modality, stage)
            document = loaded.document
            if loaded.pooling is None or loaded.head is None or document is None:
                raise CheckpointError(f"run {aligned.name}: {folder.name} holds no head")
            if document.target_names != PHENOTYPE_NAMES:
                continue  # a head on the cohort's own targets is no row of Table 2
            if document.preprocessing.hash() != reader.preprocessing_hash:
                raise CheckpointError(
                    f"run {aligned.name}: {folder.name} was trained on preprocessing "
                    f"{document.preprocessing.hash()}, the cohort has {reader.preprocessing_hash}; "
                    f"train the stage again, or remove checkpoints/{folder.name}"
                )
            section = getattr(document.settings, stage)
            scores = regress_rows(
                reader,
                rows.test.rows,
                modality,
                Regressor(loaded.encoder, loaded.pooling, loaded.head).to(device).eval(),  # pyright: ignore
                build_view(document.settings),
                task=f"{key} {modality}",
                progress=progress,
            )
            rows.add_network(
                f"{key}-{modality}",
                f"{name}{' (mean pooling)' if section.pooling == 'mean' else ''}",
                modality,
                "FN+AP" if section.pooling == "attention" else "FN",
                _to_units(scores, document, place=f"run {aligned.name}, {folder.name}"),
                failures=stage_failures(aligned.directory, folder.name),
            )


def _to_units(
    scores: Float64[Array, "row target"], document: CheckpointDocument, *, place: str
) -> Float64[Array, "row target"]:
    """Predictions in the phenotypes' units from z-scored ones."""
    if document.target_mean is None or document.target_sd is None:
        raise CheckpointError(f"{place}: no mean and SD of its targets; train the stage again")
    return scores * np.asarray(document.target_sd) + np.asarray(document.target_mean)


def _pretraining_failures(aligned: AlignedRun, modality: Modality) -> tuple[str, ...]:
    source = getattr(aligned.settings.pretrained_from, modality)
    directory = aligned.directory.parent / source if source else aligned.directory
    return stage_failures(directory, modality)


def _pretraining_name(aligned: AlignedRun, modality: Modality) -> str:
    settings = aligned.settings
    section = settings.pretrain_ecg if modality == "ecg" else settings.pretrain_cmr
    return {"mae": "MAE", "simclr": "SimCLR"}[section.method]


def _baseline_encoder(aligned: AlignedRun, key: str, modality: Modality) -> TokenEncoder | None:
    """Untrained weights as the run began with, or its pretraining; None where it had none."""
    if key == "random":
        return build_encoder(aligned.settings, modality)
    source = getattr(aligned.settings.pretrained_from, modality)
    directory = aligned.directory.parent / source if source else aligned.directory
    if not CheckpointFolder(directory / "checkpoints" / modality).is_finished:
        return None
    return load_encoder(directory, modality, "pretrain").encoder
