"""The laboratory's other recipe: asymmetric-least-squares baseline (method.md §1)."""

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64


def subtract_als_baseline(
    signal_mv: Float32[Array, "lead sample"],
    *,
    smoothness: float = 1e7,
    asymmetry: float = 0.3,
    num_iterations: int = 5,
    clip_std: float = 4.0,
) -> Float32[Array, "lead sample"]:
    """Clip to +-4 standard deviations of the record, then subtract each lead's baseline.

    The baseline z minimises sum w (y - z)^2 + smoothness * sum (second difference of z)^2 with
    weight `asymmetry` above the baseline and 1 - asymmetry below (Eilers and Boelens 2005).
    """
    from scipy.linalg import solveh_banded

    limit = clip_std * float(signal_mv.std(dtype=np.float64))
    clipped = np.clip(signal_mv.astype(np.float64), -limit, limit)
    num_samples = clipped.shape[1]
    penalty = _second_difference_penalty(num_samples, smoothness)
    baseline = np.empty_like(clipped)
    for lead, samples in enumerate(clipped):
        weights = np.ones(num_samples)
        for _ in range(num_iterations):
            banded = penalty.copy()
            banded[2] += weights
            baseline[lead] = solveh_banded(banded, weights * samples, check_finite=False)
            weights = np.where(samples > baseline[lead], asymmetry, 1.0 - asymmetry)
    return (clipped - baseline).astype(np.float32)


def _second_difference_penalty(num_samples: int, smoothness: float) -> Float64[Array, "3 sample"]:
    """Upper banded form of smoothness * D'D, D the second difference."""
    banded = np.zeros((3, num_samples))
    banded[0, 2:] = 1.0
    banded[1, 1:] = -4.0
    banded[1, [1, -1]] = -2.0
    banded[2] = 6.0
    banded[2, [1, -2]] = 5.0
    banded[2, [0, -1]] = 1.0
    return smoothness * banded
