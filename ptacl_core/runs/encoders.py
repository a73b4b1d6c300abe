"""Encoders from settings and from checkpoints of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from ptacl_core.arrays import Modality
from ptacl_core.checkpoint import (
    DOCUMENT_FILE,
    FINAL,
    WEIGHTS_FILE,
    CheckpointDocument,
    load_document,
    load_tensors,
    load_weights,
)
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.config.training import RunSettings
from ptacl_core.errors import CheckpointError
from ptacl_core.models import (
    AttentionPooling,
    EncoderView,
    MeanPooling,
    RegressionHead,
    TokenEncoder,
    TwoTower,
    build_cine_encoder,
    build_ecg_encoder,
    build_two_tower,
    load_encoder_weights,
)
from ptacl_core.runs.folder import load_run_config
from ptacl_core.tensors import Tensor
from ptacl_core.train.randomness import derive_seed

EncoderStage = Literal["random", "pretrain", "align", "finetune", "supervised"]
_TOWER = {"ecg": "ecg", "cmr": "cine"}


@dataclass(frozen=True, slots=True, eq=False)
class LoadedEncoder:
    """An encoder as a stage left it.

    `projection` (alignment) and `pooling` with `head` (fine-tuning, supervised) are None where
    the stage has none; `document` describes the checkpoint and `sha256` names its weights,
    both None for random weights.
    """

    encoder: TokenEncoder
    projection: nn.Module | None = None
    pooling: nn.Module | None = None
    head: nn.Module | None = None
    document: CheckpointDocument | None = None
    sha256: str | None = None
    preprocessing: PreprocessSettings | None = None
    """How its recordings were prepared; None for random weights."""


def build_view(settings: RunSettings) -> EncoderView:
    """How a run's encoders look at prepared recordings."""
    return EncoderView(
        crop_samples=settings.data.ecg_crop_samples,
        patch_samples=settings.ecg_encoder.patch_samples,
        num_steps=settings.data.num_steps,
        num_frames=settings.data.num_cine_frames,
        beat_mode=settings.data.beat_mode,
        precision=settings.precision,
    )


def build_encoder(
    settings: RunSettings, modality: Modality, *, drop_path: float | None = None
) -> TokenEncoder:
    """The untrained encoder of a run: weights drawn from the run's seed."""
    generator = torch.Generator().manual_seed(derive_seed(settings.seed, "weights", modality))
    update = {} if drop_path is None else {"drop_path": drop_path}
    if modality == "ecg":
        ecg_settings = settings.ecg_encoder.model_copy(update=update)
        return build_ecg_encoder(ecg_settings, generator=generator)
    cine_settings = settings.cmr_encoder.model_copy(update=update)
    return build_cine_encoder(cine_settings, generator=generator)


def build_towers(settings: RunSettings) -> TwoTower:
    """Untrained towers with their projections."""
    generator = torch.Generator().manual_seed(derive_seed(settings.seed, "weights", "towers"))
    return build_two_tower(
        settings.ecg_encoder,
        settings.cmr_encoder,
        settings.align.projection,
        generator=generator,
    )


def build_pooling(
    settings: RunSettings, modality: Modality, pooling: Literal["attention", "mean"]
) -> MeanPooling | AttentionPooling:
    """Pooling before a regression head."""
    if pooling == "mean":
        return MeanPooling()
    encoder = settings.ecg_encoder if modality == "ecg" else settings.cmr_encoder
    generator = torch.Generator().manual_seed(derive_seed(settings.seed, "weights", "pooling"))
    return AttentionPooling(encoder.dim, encoder.num_heads, generator=generator)


def load_encoder(
    run_dir: Path,
    modality: Modality,
    stage: EncoderStage,
    *,
    settings: RunSettings | None = None,
) -> LoadedEncoder:
    """The encoder of `modality` as the finished `stage` of the run left it, on the CPU.

    "random" gives the run's untrained encoder; "pretrain" may lie in another run, where the
    run's settings (None: those in its config.toml) say that it is taken from there. Raises
    CheckpointError when the stage is not finished or is damaged.
    """
    if stage == "random":
        return LoadedEncoder(build_encoder(settings or load_run_config(run_dir), modality).eval())
    folder = find_final(run_dir, modality, stage, settings=settings)
    document = load_document(folder)
    weights = load_tensors(folder, document, WEIGHTS_FILE)
    stored = document.settings
    encoder = build_encoder(stored, modality)
    prefix = {
        "pretrain": "autoencoder.encoder." if _is_masked(stored, modality) else "model.encoder.",
        "align": f"towers.{_TOWER[modality]}_encoder.",
    }.get(stage, "model.encoder.")
    load_encoder_weights(encoder, _below(weights, prefix), source_grid=encoder.grid)
    projection = pooling = head = None
    if stage == "align":
        towers = build_towers(stored)
        projection = towers.ecg_projection if modality == "ecg" else towers.cine_projection
        _load(projection, _below(weights, f"towers.{_TOWER[modality]}_projection."), folder)
        projection.eval()
    if stage in ("finetune", "supervised"):
        section = stored.finetune if stage == "finetune" else stored.supervised
        pooling = build_pooling(stored, modality, section.pooling)
        head = RegressionHead(encoder.dim, len(document.target_names))
        _load(pooling, _below(weights, "model.pooling."), folder)
        _load(head, _below(weights, "model.head."), folder)
        pooling.eval()
        head.eval()
    return LoadedEncoder(
        encoder.eval(),
        projection,
        pooling,
        head,
        document,
        document.files[WEIGHTS_FILE].sha256,
        document.preprocessing,
    )


def find_final(
    run_dir: Path, modality: Modality, stage: EncoderStage, *, settings: RunSettings | None = None
) -> Path:
    """Folder of a finished stage's weights; pretraining may lie in the run it was taken from.

    Raises CheckpointError when it is not there.
    """
    if stage == "pretrain":
        elsewhere = getattr((settings or load_run_config(run_dir)).pretrained_from, modality)
        if elsewhere is not None:
            run_dir = run_dir.parent / elsewhere
    name = {"pretrain": modality, "align": "align"}.get(stage, f"{stage}-{modality}")
    folder = run_dir / "checkpoints" / name / FINAL
    if not (folder / DOCUMENT_FILE).exists():
        finished = sorted(
            path.parent.parent.name
            for path in (run_dir / "checkpoints").glob(f"*/{FINAL}/{DOCUMENT_FILE}")
        )
        raise CheckpointError(
            f"run {run_dir.name}: stage {name} is not finished (finished: "
            f"{', '.join(finished) or 'none'}); train it with `ptacl train --resume`"
        )
    return folder


def _is_masked(settings: RunSettings, modality: Modality) -> bool:
    section = settings.pretrain_ecg if modality == "ecg" else settings.pretrain_cmr
    return section.method == "mae"


def _below(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }


def _load(module: nn.Module, weights: dict[str, Tensor], folder: Path) -> None:
    load_weights(module, weights, place=f"{folder.parent.name}/{folder.name}")
