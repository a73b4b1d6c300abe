"""Local alignment of ECG phases with cine phases, measured (evaluation.md §3.4, Fig. 2)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array, Bool, Float64, Int64
from ptacl_core.evaluate.intervals import BootstrapInterval, bootstrap_interval
from ptacl_core.evaluate.labels import EvaluationError

_ROWS_PER_CHUNK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class AlignmentMeasures:
    """Each ECG phase's best cine phase, patient by patient, and what follows.

    `top1` and `within1` are the shares of phases whose best match is the same one, or at most
    one away; `circular_offset` is the mean |best - phase| around the cycle, in phases.
    `diagonal_mass` (within one phase) and `entropy_nats` are of the mean over patients of the
    softmax of similarity / temperature; chance is 1 / num_steps, (3 num_steps - 2) /
    num_steps² and ln(num_steps). `rank_correlation` is Spearman's of phase and best match.
    """

    best_step: Int64[Array, "patient step"]
    top1: Float64[Array, " patient"]
    within1: Float64[Array, " patient"]
    circular_offset: Float64[Array, " patient"]
    mean_map: Float64[Array, "step step"]
    diagonal_mass: float
    entropy_nats: float
    rank_correlation: float

    def interval(
        self, *, generator: np.random.Generator, num_resamples: int = 2000
    ) -> BootstrapInterval:
        """Bootstrap over patients of mean top1, within1 and circular offset, in this order."""
        table = np.stack([self.top1, self.within1, self.circular_offset], axis=1)
        return bootstrap_interval(
            lambda rows: table[rows].mean(axis=0),
            len(table),
            generator=generator,
            num_resamples=num_resamples,
        )


def alignment_map(
    ecg_steps: Float[Array, "patient step dim"],
    cmr_steps: Float[Array, "patient step dim"],
    *,
    is_valid: Bool[Array, " patient"] | None = None,
) -> Float64[Array, "step step"]:
    """Mean over patients of cos(ECG phase k, cine phase t), rows k, columns t."""
    ecg, cmr = _chosen(ecg_steps, cmr_steps, is_valid)
    total = np.zeros((ecg.shape[1], ecg.shape[1]))
    for first in range(0, len(ecg), _ROWS_PER_CHUNK):
        rows = slice(first, first + _ROWS_PER_CHUNK)
        total += _cosines(ecg[rows], cmr[rows]).sum(axis=0)
    return total / len(ecg)


def measure_alignment(
    ecg_steps: Float[Array, "patient step dim"],
    cmr_steps: Float[Array, "patient step dim"],
    *,
    is_valid: Bool[Array, " patient"] | None = None,
    temperature: float = 0.1,
) -> AlignmentMeasures:
    """Accuracy, offset, diagonal mass and entropy of the alignment of valid patients.

    Raises:
        EvaluationError: shapes that differ, no valid patient, features that are not finite.
    """
    ecg, cmr = _chosen(ecg_steps, cmr_steps, is_valid)
    num_patients, num_steps, _dim = ecg.shape
    best = np.empty((num_patients, num_steps), np.int64)
    total = np.zeros((num_steps, num_steps))
    share = np.zeros((num_steps, num_steps))
    for first in range(0, num_patients, _ROWS_PER_CHUNK):
        rows = slice(first, first + _ROWS_PER_CHUNK)
        similarity = _cosines(ecg[rows], cmr[rows])
        best[rows] = similarity.argmax(axis=2)
        total += similarity.sum(axis=0)
        weights = np.exp((similarity - similarity.max(axis=2, keepdims=True)) / temperature)
        share += (weights / weights.sum(axis=2, keepdims=True)).sum(axis=0)
    share /= num_patients
    steps = np.arange(num_steps)
    distance = np.abs(best - steps)
    around = np.minimum(distance, num_steps - distance)
    is_near = np.abs(steps[:, None] - steps) <= 1
    entropy = -(share * np.log(np.maximum(share, 1e-300))).sum(axis=1)
    return AlignmentMeasures(
        best_step=best,
        top1=(distance == 0).mean(axis=1),
        within1=(distance <= 1).mean(axis=1),
        circular_offset=around.mean(axis=1),
        mean_map=total / num_patients,
        diagonal_mass=float((share * is_near).sum() / num_steps),
        entropy_nats=float(entropy.mean()),
        rank_correlation=_rank_correlation(best),
    )


def _chosen(
    ecg_steps: np.ndarray, cmr_steps: np.ndarray, is_valid: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    ecg, cmr = np.asarray(ecg_steps), np.asarray(cmr_steps)
    if ecg.ndim != 3 or ecg.shape != cmr.shape:
        raise EvaluationError(
            "ecg_steps and cmr_steps: expected equal shapes [patient, step, dim], got "
            f"{ecg.shape} and {cmr.shape}"
        )
    if is_valid is not None:
        chosen = np.asarray(is_valid, dtype=bool)
        if chosen.shape != (len(ecg),):
            raise EvaluationError(f"is_valid: expected {len(ecg)} flags, got {chosen.shape}")
        ecg, cmr = ecg[chosen], cmr[chosen]
    if len(ecg) == 0:
        raise EvaluationError("no patient with a valid beat: alignment cannot be measured")
    if not (np.isfinite(ecg).all() and np.isfinite(cmr).all()):
        raise EvaluationError("ecg_steps or cmr_steps hold NaN or infinity")
    return ecg, cmr


def _cosines(ecg: np.ndarray, cmr: np.ndarray) -> Float64[Array, "patient step step"]:
    return _unit(ecg) @ _unit(cmr).transpose(0, 2, 1)


def _unit(steps: np.ndarray) -> np.ndarray:
    """Unit vectors; a vector of zeros stays zero, with cosine 0 to everything."""
    values = steps.astype(np.float64)
    length = np.linalg.norm(values, axis=2, keepdims=True)
    return values / np.where(length > 0, length, 1.0)


def _rank_correlation(best: Int64[Array, "patient step"]) -> float:
    """Spearman's correlation of phase and best match over all patients; NaN if all agree."""
    from scipy.stats import rankdata

    phase = np.broadcast_to(np.arange(best.shape[1]), best.shape).ravel()
    first, second = rankdata(phase), rankdata(best.ravel())
    first, second = first - first.mean(), second - second.mean()
    power = float((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / np.sqrt(power)) if power > 0 else float("nan")
