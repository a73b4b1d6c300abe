"""Encoders from a packed model, with the checks that a run's checkpoints have."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ptacl_core.arrays import Modality
from ptacl_core.bundle.container import SUFFIX
from ptacl_core.bundle.model_file import ENCODER_FILES, ModelFile
from ptacl_core.checkpoint import load_weights
from ptacl_core.config.encoders import CineEncoderSettings, EcgEncoderSettings
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.config.training import RunSettings
from ptacl_core.errors import BundleError, CheckpointError, ConfigError
from ptacl_core.models import EncoderView, TokenEncoder, load_encoder_weights
from ptacl_core.models.parts.heads import ProjectionHead
from ptacl_core.runs.encoders import (
    EncoderStage,
    LoadedEncoder,
    build_encoder,
    build_view,
    load_encoder,
)

MAX_PARAMETERS = 5e8
MAX_INPUT_VALUES = 5e7
MAX_SETTING = 200_000
"""Bounds on what the settings of a stranger's file may ask for, far above the paper's."""


@dataclass(frozen=True, slots=True, eq=False)
class BundledTower:
    """An encoder of a packed model, its projection where it was aligned, and its preprocessing."""

    encoder: TokenEncoder
    projection: nn.Module | None
    preprocessing: PreprocessSettings


def read_settings(model: ModelFile) -> tuple[RunSettings, PreprocessSettings]:
    """Settings of the run and of its preprocessing, checked against each other and for size.

    Raises BundleError.
    """
    document = model.document
    try:
        settings = RunSettings.from_mapping(document.settings, source=f"{model.place}, settings")
        preprocessing = PreprocessSettings.from_mapping(
            document.preprocessing, source=f"{model.place}, preprocessing"
        )
    except ConfigError as error:
        raise BundleError(str(error)[:600]) from None
    if preprocessing.hash() != document.preprocessing_hash:
        raise BundleError(f"{model.place}: preprocessing settings do not match their hash")
    if build_view(settings) != read_view(model):
        raise BundleError(f"{model.place}: the encoders' view does not follow from the settings")
    for section in (settings.ecg_encoder, settings.cmr_encoder):
        _check_size(model, section)
    if settings.align.projection.dim > MAX_SETTING:
        raise BundleError(f"{model.place}: its settings ask for a projection of absurd size")
    ecg, cine = preprocessing.ecg, preprocessing.cine
    asked = (ecg.sampling_rate_hz * ecg.duration_s, cine.num_frames * cine.size_px**2, ecg.level)
    if max(asked) > MAX_INPUT_VALUES or settings.data.num_steps > 1000:
        raise BundleError(f"{model.place}: its preprocessing asks for recordings of absurd size")
    return settings, preprocessing


def read_view(model: ModelFile) -> EncoderView:
    """How its encoders look at recordings. Raises BundleError."""
    view = model.document.view
    if view.beat_mode not in ("phase", "tokens"):
        raise BundleError(f"{model.place}: unknown beat mode {view.beat_mode[:20]!r}")
    return EncoderView(
        crop_samples=view.crop_samples,
        patch_samples=view.patch_samples,
        num_steps=view.num_steps,
        num_frames=view.num_frames,
        beat_mode="phase" if view.beat_mode == "phase" else "tokens",
        precision=view.precision,
    )


def load_bundled_tower(model: ModelFile, modality: Modality) -> BundledTower:
    """The encoder of one modality in evaluation mode, on the CPU.

    Raises BundleError when the file holds none, or its weights do not fit its settings.
    """
    described = model.document.encoders.get(modality)
    if described is None:
        held = ", ".join(model.document.encoders) or "none"
        raise BundleError(f"{model.place}: holds no {modality} encoder (it holds: {held})")
    settings, preprocessing = read_settings(model)
    weights = {
        name: torch.from_numpy(values)
        for name, values in model.tensors(ENCODER_FILES[modality]).items()
    }
    try:
        encoder = build_encoder(settings, modality)
        load_encoder_weights(encoder, _below(weights, "encoder."), source_grid=encoder.grid)
        projection = None
        if described.has_projection:
            options = settings.align.projection
            projection = ProjectionHead(
                encoder.dim, options.dim, kind=options.kind, standardises=options.standardises
            )
            place = f"{model.place}, {modality}"
            load_weights(projection, _below(weights, "projection."), place=place)
    except CheckpointError as error:
        raise BundleError(f"{model.place}: {error}") from None
    except (RuntimeError, ValueError, MemoryError, ConfigError) as error:
        raise BundleError(
            f"{model.place}: no encoder can be built from its settings ({type(error).__name__})"
        ) from None
    return BundledTower(
        encoder.eval(), None if projection is None else projection.eval(), preprocessing
    )


def load_pretrained(
    run_dir: Path, modality: Modality, settings: RunSettings, *, stage: EncoderStage = "pretrain"
) -> LoadedEncoder:
    """The encoder that a run starts from: its own, of another run, or of a packed model.

    Of a packed model it is the encoder that the file holds, pretrained or aligned. Raises
    CheckpointError or BundleError.
    """
    sources = settings.pretrained_from
    source = sources.align if stage == "align" else getattr(sources, modality)
    if source is None or Path(source).suffix != SUFFIX:
        origin = run_dir
        if stage == "align" and source is not None:
            origin = run_dir.parent / source
        return load_encoder(origin, modality, stage, settings=settings)
    model = ModelFile(Path(source))
    described = model.document.encoders.get(modality)
    if stage == "align" and described is not None and described.stage != "align":
        raise BundleError(f"{model.place}: its {modality} encoder was not aligned")
    tower = load_bundled_tower(model, modality)
    assert described is not None
    return LoadedEncoder(
        tower.encoder,
        projection=tower.projection,
        sha256=described.checkpoint_sha256,
        preprocessing=tower.preprocessing,
    )


def _check_size(model: ModelFile, section: EcgEncoderSettings | CineEncoderSettings) -> None:
    numbers = [value for _, value in section if isinstance(value, int)]
    if isinstance(section, EcgEncoderSettings):
        inputs = section.num_leads * section.num_samples
        tokens = inputs // section.patch_samples + section.num_steps
    else:
        inputs = section.num_frames * section.size_px**2
        tokens = inputs // (section.patch_frames * section.patch_px**2)
    wide = max(section.dim, section.conv_width)
    parameters = 12 * section.depth * wide * wide + tokens * wide
    if section.mlp_dim is not None:
        parameters += 2 * section.depth * wide * section.mlp_dim
    if max(numbers) > MAX_SETTING or inputs > MAX_INPUT_VALUES or parameters > MAX_PARAMETERS:
        raise BundleError(
            f"{model.place}: its settings ask for an encoder of absurd size "
            f"(about 10^{math.floor(math.log10(max(parameters, 1)))} parameters)"
        )


def _below(weights: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }
