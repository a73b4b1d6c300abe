"""Does the global contrast tell patients of a batch apart, against what chance gives."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.labels import EvaluationError, as_features
from ptacl_core.evaluate.ranking import unit_length


@dataclass(frozen=True, slots=True)
class ContrastFigures:
    """The contrastive loss and the retrieval within batches, averaged over the batches.

    `chance_loss` is that of embeddings which are all alike, ln of the batch size; `top1` the
    share of recordings whose most similar one of the other modality is their own, 1 / batch
    size by chance (ties count for nothing).
    """

    loss: float
    chance_loss: float
    top1: float
    chance_top1: float
    num_patients: int


def measure_contrast(
    ecg: Float[Array, "patient dim"],
    cmr: Float[Array, "patient dim"],
    *,
    temperature: float,
    batch_size: int,
    patients: Sequence[str] | None = None,
) -> ContrastFigures:
    """Eq. (1) with equal weights, and in-batch retrieval, over batches of patients in order.

    The last batch may be smaller; a single patient that remains joins none. Visits of one
    person (`patients`) are never each other's negatives.

    Raises:
        EvaluationError: fewer than two patients, shapes that differ, a batch size below 2.
    """
    first = unit_length(as_features(ecg, name="ecg"), "ecg")
    second = unit_length(as_features(cmr, name="cmr"), "cmr")
    if first.shape != second.shape:
        raise EvaluationError(f"ecg and cmr: expected one shape, got {ecg.shape} and {cmr.shape}")
    if batch_size < 2:
        raise EvaluationError(f"batch_size: a contrast needs at least 2, got {batch_size}")
    owner = (
        np.arange(len(first)) if patients is None else np.unique(patients, return_inverse=True)[1]
    )
    totals = np.zeros(4)
    count = 0
    for start in range(0, len(first), batch_size):
        rows = slice(start, start + batch_size)
        people = owner[rows]
        if len(np.unique(people)) < 2:
            continue
        totals += len(people) * _measure_batch(first[rows] @ second[rows].T, people, temperature)
        count += len(people)
    if count == 0:
        raise EvaluationError("a contrast needs a batch with at least two patients")
    loss, chance_loss, top1, chance_top1 = (totals / count).tolist()
    return ContrastFigures(loss, chance_loss, top1, chance_top1, count)


def _measure_batch(
    cosine: Float64[Array, "patient patient"], people: np.ndarray, temperature: float
) -> np.ndarray:
    """Loss, chance loss, top-1 and its chance of one batch."""
    is_own = np.eye(len(cosine), dtype=bool)
    is_candidate = (people[:, None] != people) | is_own
    scores = np.where(is_candidate, cosine, -np.inf) / temperature
    own = np.diag(scores)
    losses, hits = [], []
    for table in (scores, scores.T):
        highest = table.max(axis=1)
        losses.append(np.log(np.exp(table - highest[:, None]).sum(axis=1)) + highest - own)
        others = np.where(is_own, -np.inf, table).max(axis=1)
        hits.append(own > others)
    candidates = is_candidate.sum(axis=1)
    chance_loss = float(np.mean([math.log(candidate) for candidate in candidates]))
    return np.array([np.mean(losses), chance_loss, np.mean(hits), np.mean(1.0 / candidates)])
