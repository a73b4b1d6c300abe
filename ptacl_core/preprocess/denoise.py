"""Wavelet removal of baseline wander and noise (method.md §1).

The record is decomposed (db6, 8 levels, symmetric borders), the approximation (0-0.98 Hz at
500 Hz) and the finest details (above 62.5 Hz) are zeroed, the rest is put together again.
"""

from typing import Literal

import numpy as np
import pywt

from ptacl_core.arrays import Array, Float32
from ptacl_core.errors import RecordError
from ptacl_core.preprocess.denoise_operator import build_denoise_operator

OPERATOR_NUM_SAMPLES = 5000
"""Length for which `method="auto"` takes the prepared operator: the length of every shard row."""


def denoise_ecg(
    signal_mv: Float32[Array, "*batch sample"],
    *,
    wavelet: str = "db6",
    level: int = 8,
    num_finest_removed: int = 2,
    use_soft_threshold: bool = False,
    method: Literal["auto", "pywt", "operator"] = "auto",
) -> Float32[Array, "*batch sample"]:
    """Remove baseline wander and high-frequency noise, along the last axis.

    At 500 Hz the defaults keep D3-D8, 0.98 to 62.5 Hz. Below about 58 beats a minute the
    removed approximation holds the beat's fundamental; a larger `level` is gentler.

    Args:
        signal_mv: finite samples in mV, whole recordings (crop afterwards).
        wavelet: orthogonal wavelet of PyWavelets.
        level: number of decomposition levels; the approximation at this level is removed.
        num_finest_removed: how many of the finest detail bands are removed.
        use_soft_threshold: also shrink the kept details by the universal threshold of the
            finest band, sigma = median|D1| / 0.6745, threshold = sigma * sqrt(2 ln n).
        method: "pywt" the reference; "operator" the same linear map, prepared once per length
            (equal to 2e-6 of the signal's range); "auto" the operator for 5000 samples.

    Raises:
        RecordError: samples that are not finite, which would spread over the whole lead.
    """
    signal = np.asarray(signal_mv, dtype=np.float32)
    if not np.isfinite(signal).all():
        raise RecordError(
            "denoise_ecg expects finite samples, got NaN or infinity; "
            "fill gaps first (ptacl_core.preprocess.gaps.fill_gaps)"
        )
    if not 0 <= num_finest_removed < level:
        raise ValueError(f"num_finest_removed must lie in 0..{level - 1}, got {num_finest_removed}")
    if signal.size == 0:
        return signal.copy()
    # A constant lies wholly in the approximation: without it float32 loses no digits to offsets.
    centred = signal - signal.mean(axis=-1, dtype=np.float64, keepdims=True).astype(np.float32)
    num_samples = signal.shape[-1]
    if method == "auto":
        method = "operator" if num_samples == OPERATOR_NUM_SAMPLES else "pywt"
    if method == "pywt" or use_soft_threshold:
        return _denoise_by_bands(centred, wavelet, level, num_finest_removed, use_soft_threshold)
    return build_denoise_operator(num_samples, wavelet, level, num_finest_removed).apply(centred)


def _denoise_by_bands(
    signal: Float32[Array, "*batch sample"],
    wavelet: str,
    level: int,
    num_finest_removed: int,
    use_soft_threshold: bool,
) -> Float32[Array, "*batch sample"]:
    """The decomposition itself, all leads at once; `pywt.wavedec` would warn on short input."""
    num_samples = signal.shape[-1]
    approximation = signal
    details: list[np.ndarray] = []
    for _ in range(level):
        approximation, detail = pywt.dwt(approximation, wavelet, mode="symmetric", axis=-1)
        details.append(detail)
    if use_soft_threshold:
        spread = np.median(np.abs(details[0]), axis=-1, keepdims=True) / 0.6745
        threshold = (spread * np.sqrt(2 * np.log(num_samples))).astype(np.float32)
        details = [_soft_threshold(detail, threshold) for detail in details]
    rebuilt = np.zeros_like(approximation)
    for index in range(level - 1, -1, -1):
        detail = details[index]
        rebuilt = rebuilt[..., : detail.shape[-1]]
        kept = None if index < num_finest_removed else detail
        rebuilt = pywt.idwt(rebuilt, kept, wavelet, mode="symmetric", axis=-1)
    return np.ascontiguousarray(rebuilt[..., :num_samples], dtype=np.float32)


def _soft_threshold(detail: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    return np.sign(detail) * np.maximum(np.abs(detail) - threshold, 0)
