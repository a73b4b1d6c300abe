"""What a run's encoders say of the recordings of a cohort, whole or in parts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ptacl_core.arrays import Array, Float32, Int64
from ptacl_core.embedding.encoding import Features


@dataclass(frozen=True, slots=True, eq=False)
class CohortFeatures:
    """Features by manifest row, rising; without step features, which `similarity` sums up.

    `similarity` holds the cosine of every ECG step (row) with every cine step (column) for
    each pair with a complete beat; there is none where the cine encoder has no steps.
    """

    ecg_rows: Int64[Array, " ecg"]
    ecg: Features
    cmr_rows: Int64[Array, " cmr"]
    cmr: Features
    pair_rows: Int64[Array, " pair"]
    similarity: Float32[Array, "pair step step"]


def combine_features(
    ecg_rows: Int64[Array, " ecg"],
    ecg: Features,
    cmr_rows: Int64[Array, " cmr"],
    cmr: Features,
) -> CohortFeatures:
    """Features of both modalities, with the step similarity of the rows that have both."""
    pair_rows, similarity = _compare_steps(ecg_rows, ecg, cmr_rows, cmr)
    return CohortFeatures(
        ecg_rows, replace(ecg, steps=None), cmr_rows, replace(cmr, steps=None),
        pair_rows, similarity,
    )  # fmt: skip


def join_features(parts: Sequence[CohortFeatures]) -> CohortFeatures:
    """Parts of a cohort as one, in the order of the manifest."""
    ecg_rows = np.concatenate([part.ecg_rows for part in parts])
    cmr_rows = np.concatenate([part.cmr_rows for part in parts])
    pair_rows = np.concatenate([part.pair_rows for part in parts])
    order = np.argsort(pair_rows)
    with_pairs = [part.similarity for part in parts if len(part.similarity)]
    similarity = np.concatenate(with_pairs or [parts[0].similarity])
    return CohortFeatures(
        ecg_rows=np.sort(ecg_rows),
        ecg=_join([part.ecg for part in parts], np.argsort(ecg_rows)),
        cmr_rows=np.sort(cmr_rows),
        cmr=_join([part.cmr for part in parts], np.argsort(cmr_rows)),
        pair_rows=pair_rows[order],
        similarity=similarity[order],
    )


def no_features(dim: int, projected_dim: int) -> Features:
    """Features of no recording at all."""
    return Features(
        np.empty((0, dim), np.float32),
        np.empty((0, projected_dim), np.float32),
        None,
        np.empty(0, bool),
    )


def _compare_steps(
    ecg_rows: Int64[Array, " ecg"],
    ecg: Features,
    cmr_rows: Int64[Array, " cmr"],
    cmr: Features,
) -> tuple[Int64[Array, " pair"], Float32[Array, "pair step step"]]:
    rows, ecg_at, cmr_at = np.intersect1d(ecg_rows, cmr_rows, return_indices=True)
    if ecg.steps is None or cmr.steps is None or ecg.steps.shape[1] != cmr.steps.shape[1]:
        return np.empty(0, np.int64), np.empty((0, 0, 0), np.float32)
    is_valid = ecg.is_step_valid[ecg_at]
    ecg_steps = _unit_length(ecg.steps[ecg_at[is_valid]])
    cmr_steps = _unit_length(cmr.steps[cmr_at[is_valid]])
    similarity = np.einsum("pkd,ptd->pkt", ecg_steps, cmr_steps)
    return rows[is_valid], similarity.astype(np.float32)


def _unit_length(steps: Float32[Array, "patient step dim"]) -> Float32[Array, "patient step dim"]:
    return steps / np.maximum(np.linalg.norm(steps, axis=-1, keepdims=True), 1e-8)


def _join(parts: Sequence[Features], order: Int64[Array, " row"]) -> Features:
    projected = [part.projected for part in parts if part.projected is not None]
    return Features(
        pooled=np.concatenate([part.pooled for part in parts])[order],
        projected=np.concatenate(projected)[order] if projected else None,
        steps=None,
        is_step_valid=np.concatenate([part.is_step_valid for part in parts])[order],
    )
