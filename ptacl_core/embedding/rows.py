"""Features of the rows of a cohort's shards, for whichever encoders are given."""

import numpy as np
import torch

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.config.training import Modality, RunSettings
from ptacl_core.embedding.ecg_input import build_ecg_input
from ptacl_core.embedding.encoding import (
    Features,
    choose_frames,
    encode_cines,
    encode_ecgs,
    encode_in_batches,
)
from ptacl_core.models import Regressor, TokenEncoder
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.shards import ShardReader
from ptacl_core.train.precision import autocast, encoding_precision

BATCH_SIZE = 64


def encode_ecg_rows(
    reader: ShardReader,
    rows: Int64[Array, " row"],
    encoder: TokenEncoder,
    projection: torch.nn.Module | None,
    settings: RunSettings,
    *,
    with_steps: bool = False,
    task: str = "encode ECGs",
    progress: ProgressSink = SILENT,
) -> Features:
    """Features of the ECGs in `rows`, as the run's settings crop and divide them."""
    progress.start(task, len(rows), "ECGs")
    features = encode_in_batches(
        lambda piece: encode_ecgs(
            encoder,
            projection,
            reader.read_ecg(piece),
            reader.r_peaks(piece),
            crop_samples=settings.data.ecg_crop_samples,
            patch_samples=settings.ecg_encoder.patch_samples,
            num_steps=settings.data.num_steps,
            beat_mode=settings.data.beat_mode,
            with_steps=with_steps,
            precision=settings.precision,
        ),
        rows,
        batch_size=BATCH_SIZE,
        on_batch=lambda count: progress.advance(task, count),
    )
    progress.finish(task)
    return features


def encode_cine_rows(
    reader: ShardReader,
    rows: Int64[Array, " row"],
    encoder: TokenEncoder,
    projection: torch.nn.Module | None,
    settings: RunSettings,
    *,
    with_steps: bool = False,
    task: str = "encode cines",
    progress: ProgressSink = SILENT,
) -> Features:
    """Features of the cines in `rows`."""
    progress.start(task, len(rows), "cines")
    features = encode_in_batches(
        lambda piece: encode_cines(
            encoder,
            projection,
            reader.read_cine(piece),
            num_frames=settings.data.num_cine_frames,
            with_steps=with_steps,
            precision=settings.precision,
        ),
        rows,
        batch_size=BATCH_SIZE,
        on_batch=lambda count: progress.advance(task, count),
    )
    progress.finish(task)
    return features


@torch.no_grad()
def regress_rows(
    reader: ShardReader,
    rows: Int64[Array, " row"],
    modality: Modality,
    network: Regressor,
    settings: RunSettings,
    *,
    task: str = "predict",
    progress: ProgressSink = SILENT,
) -> Float64[Array, "row target"]:
    """What a network with a head predicts for `rows`: z-scored phenotypes."""
    device = next(network.parameters()).device
    progress.start(task, len(rows), "recordings")
    parts = []
    for start in range(0, len(rows), BATCH_SIZE):
        piece = rows[start : start + BATCH_SIZE]
        if modality == "ecg":
            batch = build_ecg_input(
                network.encoder,
                reader.read_ecg(piece),
                reader.r_peaks(piece),
                crop_samples=settings.data.ecg_crop_samples,
            )
        else:
            batch = choose_frames(reader.read_cine(piece), settings.data.num_cine_frames, device)
        with autocast(device, encoding_precision(device, settings.precision)):
            scores = network(batch)
        parts.append(scores.float().cpu().numpy().astype(np.float64))
        progress.advance(task, len(piece))
    progress.finish(task)
    return np.concatenate(parts)
