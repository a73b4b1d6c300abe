"""Alignment of the pretrained encoders: the paper's method, its ablations, the peers' rows."""

from pathlib import Path

import torch

from ptacl_core.arrays import Modality
from ptacl_core.config.training import RunSettings
from ptacl_core.errors import CheckpointError, ConfigError
from ptacl_core.models import (
    LatentDecoder,
    PatchTransformer,
    TokenEncoder,
    TwoTower,
    VectorEncoder,
    load_encoder_weights,
)
from ptacl_core.runs.bundled import load_pretrained
from ptacl_core.runs.encoders import LoadedEncoder, build_towers
from ptacl_core.runs.folder import TrainingRun
from ptacl_core.stages.train.fit import StageSummary, StageTask, train_stage
from ptacl_core.stages.train.health import HealthSpec
from ptacl_core.stages.train.probe import build_probe
from ptacl_core.stages.train.views import build_cine_views, build_ecg_views, find_averaged_px
from ptacl_core.train.randomness import derive_seed
from ptacl_core.train.steps.alignment import AlignmentStep
from ptacl_core.train.steps.alignment_weights import AlignmentWeights
from ptacl_core.train.steps.cross_modal import CrossModalStep


def align(run: TrainingRun) -> StageSummary:
    """Train stage `align`, from this run's pretraining or from that of the runs it names.

    Blocks and embeddings are frozen only in encoders that were pretrained. Raises
    CheckpointError when a pretraining that the settings ask for is not finished.
    """
    settings = run.settings
    section = settings.align
    towers = build_towers(settings)
    start_from_pretraining(run, towers)
    if isinstance(towers.cine_encoder, VectorEncoder):
        standardise_vectors(run, towers.cine_encoder)
    build = _build_autoencoder if section.method == "autoencoder" else _build_alignment
    step = build(settings, towers)
    probe = build_probe(
        run,
        {"ecg": towers.ecg_encoder, "cmr": towers.cine_encoder},
        {"ecg": towers.ecg_projection, "cmr": towers.cine_projection},
    )
    return train_stage(
        run,
        StageTask(
            stage="align",
            module=step,
            optimisation=section.optimisation,
            modalities=("ecg", "cmr"),
            averaged_px=find_averaged_px(settings, section.cine_augmentation),
            health=HealthSpec(
                "alignment",
                {"ecg": towers.ecg_encoder, "cmr": towers.cine_encoder},
                projections={"ecg": towers.ecg_projection, "cmr": towers.cine_projection},
                temperature=section.temperature_global,
            ),
            probe=probe,
        ),
    )


def standardise_vectors(run: TrainingRun, encoder: VectorEncoder) -> None:
    """Scale as the vectors of training people are, and say how many pairs there are."""
    rows = {split: run.reader.rows(split) for split in ("train", "val", "test")}
    if len(rows["train"]):
        encoder.standardise(torch.from_numpy(run.reader.read_cine_bytes(rows["train"])))
    counts = ", ".join(f"{len(part)} {split}" for split, part in rows.items())
    run.progress.say(
        f"align: vectors {run.settings.align.vectors} stand in the place of cines; "
        f"visits with an ECG and a vector: {counts}"
    )


def _build_alignment(settings: RunSettings, towers: TwoTower) -> AlignmentStep:
    section = settings.align
    return AlignmentStep(
        towers,
        build_ecg_views(settings, section.ecg_augmentation),
        None
        if section.vectors is not None
        else build_cine_views(settings, section.cine_augmentation),
        AlignmentWeights(
            temperature_global=section.temperature_global,
            temperature_local=section.temperature_local,
            sigma=section.sigma,
            beta=section.beta,
            local_loss=section.local_loss,
            ecg_to_cmr_weight=section.ecg_to_cmr_weight,
            same_phase_share=section.same_phase_share,
            control=section.control,
            control_seed=settings.seed,
        ),
        is_cine_frozen=section.freeze_cine_encoder,
    )


def _build_autoencoder(settings: RunSettings, towers: TwoTower) -> CrossModalStep:
    section = settings.align
    generator = torch.Generator().manual_seed(derive_seed(settings.seed, "weights", "decoder"))
    decoders = []
    for encoder in (towers.ecg_encoder, towers.cine_encoder):
        if not isinstance(encoder, PatchTransformer):
            raise ConfigError(
                "align.method autoencoder reconstructs patches: both encoders must be of the "
                f"family 'vit', got {type(encoder).__name__}"
            )
        decoders.append(
            LatentDecoder(
                encoder,
                section.projection.dim,
                dim=section.decoder.decoder_dim,
                depth=section.decoder.decoder_depth,
                num_heads=section.decoder.decoder_heads,
                generator=generator,
            )
        )
    ecg_decoder, cine_decoder = decoders
    return CrossModalStep(
        towers,
        ecg_decoder,
        cine_decoder,
        build_ecg_views(settings, section.ecg_augmentation),
        build_cine_views(settings, section.cine_augmentation),
        temperature=section.temperature_global,
        contrast_weight=section.contrast_weight,
    )


def start_from_pretraining(run: TrainingRun, towers: TwoTower) -> None:
    """Give the towers their pretrained encoders and freeze the first blocks of those."""
    section = run.settings.align
    encoders: dict[Modality, TokenEncoder] = {
        "ecg": towers.ecg_encoder,
        "cmr": towers.cine_encoder,
    }
    for modality, encoder in encoders.items():
        if not is_pretrained(run.settings, modality):
            run.progress.say(f"align: the {modality} encoder starts from random weights, unfrozen")
            continue
        loaded = load_pretrained(run.directory, modality, run.settings)
        check_preparation(run, modality, loaded)
        moved = load_encoder_weights(
            encoder, loaded.encoder.state_dict(), source_grid=loaded.encoder.grid
        )
        if moved is not None:
            run.progress.say(f"align, {modality}: {moved}")
        encoder.freeze_first(section.num_frozen_blocks, embeddings=section.freeze_embeddings)


def check_preparation(run: TrainingRun, modality: Modality, loaded: LoadedEncoder) -> None:
    """Raise CheckpointError unless the encoder's recordings were prepared as this cohort's are.

    Only the part of the preprocessing that belongs to `modality` has to agree, so that a cohort
    of ECGs alone can pretrain for any other.
    """
    if loaded.preprocessing is None:
        return
    part = "ecg" if modality == "ecg" else "cine"
    theirs = getattr(loaded.preprocessing, part).model_dump()
    ours = getattr(run.reader.preprocessing, part).model_dump()
    differing = [
        f"{part}.{key} is {theirs[key]!r} there and {value!r} here"
        for key, value in ours.items()
        if theirs[key] != value
    ]
    if differing:
        source = getattr(run.settings.pretrained_from, modality) or run.name
        raise CheckpointError(
            f"pretrained_from.{modality}: the encoder of {Path(source).name} was trained on "
            f"recordings prepared otherwise: {'; '.join(differing)}. Preprocess one of the "
            "cohorts again with the other's settings"
        )


def is_pretrained(settings: RunSettings, modality: Modality) -> bool:
    """Whether the run's encoder of `modality` was, or is to be, pretrained."""
    if getattr(settings.pretrained_from, modality) is not None:
        return True
    section = settings.pretrain_ecg if modality == "ecg" else settings.pretrain_cmr
    return section.method != "none"
