"""Features of the rows of a cohort's shards, for whichever encoders are given."""

from collections.abc import Iterator

import numpy as np
import torch

from ptacl_core.arrays import Array, Float64, Int64, Modality
from ptacl_core.embedding.ecg_input import build_ecg_input
from ptacl_core.embedding.encoding import (
    Features,
    choose_frames,
    encode_cines,
    encode_ecgs,
    encode_vectors,
    join_pieces,
)
from ptacl_core.models import Regressor, TokenEncoder, VectorEncoder
from ptacl_core.models.encoder_view import EncoderView
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.shards import ShardReader
from ptacl_core.train.precision import autocast, encoding_precision

BATCH_SIZE = 64
_NOUNS: dict[Modality, str] = {"ecg": "ECGs", "cmr": "cines"}


def encode_rows(
    reader: ShardReader,
    rows: Int64[Array, " row"],
    modality: Modality,
    encoder: TokenEncoder,
    projection: torch.nn.Module | None,
    view: EncoderView,
    *,
    with_steps: bool = False,
    task: str | None = None,
    progress: ProgressSink = SILENT,
) -> Features:
    """Features of the recordings of `modality` in `rows`; `task` names the work in `progress`."""

    def encode(piece: Int64[Array, " row"]) -> Features:
        if modality == "ecg":
            signals, r_peaks = reader.read_ecg(piece), reader.r_peaks(piece)
            return encode_ecgs(encoder, projection, signals, r_peaks, view, with_steps=with_steps)
        frames = reader.read_cine_bytes(piece)
        if isinstance(encoder, VectorEncoder):
            return encode_vectors(encoder, projection, frames, view)
        return encode_cines(encoder, projection, frames, view, with_steps=with_steps)

    noun = "vectors" if isinstance(encoder, VectorEncoder) else _NOUNS[modality]
    task = task or f"encode {noun}"
    pieces = _take_pieces(rows, task, noun, progress)
    return join_pieces([encode(piece) for piece in pieces])


@torch.no_grad()
def regress_rows(
    reader: ShardReader,
    rows: Int64[Array, " row"],
    modality: Modality,
    network: Regressor,
    view: EncoderView,
    *,
    task: str = "predict",
    progress: ProgressSink = SILENT,
) -> Float64[Array, "row target"]:
    """What a network with a head predicts for `rows`: z-scored phenotypes."""
    device = next(network.parameters()).device

    def predict(piece: Int64[Array, " row"]) -> Float64[Array, "row target"]:
        if modality == "ecg":
            signals, r_peaks = reader.read_ecg(piece), reader.r_peaks(piece)
            batch = build_ecg_input(
                network.encoder, signals, r_peaks, crop_samples=view.crop_samples
            )
        else:
            batch = choose_frames(reader.read_cine_bytes(piece), view.num_frames, device)
        with autocast(device, encoding_precision(device, view.precision)):
            scores = network(batch)
        return scores.float().cpu().numpy().astype(np.float64)

    pieces = _take_pieces(rows, task, "recordings", progress)
    return np.concatenate([predict(piece) for piece in pieces])


def _take_pieces(
    rows: Int64[Array, " row"], task: str, noun: str, progress: ProgressSink
) -> Iterator[Int64[Array, " row"]]:
    """`rows` in pieces of BATCH_SIZE; a piece counts as done when the next is asked for."""
    progress.start(task, len(rows), noun)
    for start in range(0, len(rows), BATCH_SIZE):
        piece = rows[start : start + BATCH_SIZE]
        yield piece
        progress.advance(task, len(piece))
    progress.finish(task)
