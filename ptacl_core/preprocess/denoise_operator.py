"""The wavelet denoising of one record length as three small matrix products.

Removing the finest f detail bands and the approximation of level L is linear:

    y = S (a - U V a),   a = A x

A takes samples to the approximation of level f (banded: 34 taps for db6 and f = 2, one output
for every 2^f samples), V U is the projection on the approximation of level L (rank 30 for 5000
samples) and S brings level f back to samples (banded). The matrices are read off PyWavelets by
impulses, borders included, so equality with the reference is a property of their construction.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pywt

from ptacl_core.arrays import Array, Float32

_COEFFICIENTS_PER_BLOCK = 16
_ROWS_PER_CHUNK = 24


@dataclass(frozen=True, slots=True, eq=False)
class DenoiseOperator:
    """Prepared matrices for one record length; `apply` is the denoising."""

    num_samples: int
    decimation: int
    num_coefficients: int
    analysis_first_tap: int
    analysis_block: Float32[Array, "window block_coefficient"]
    border_window: int
    left_border: Float32[Array, "border_sample border_coefficient"]
    right_border: Float32[Array, "border_sample border_coefficient"]
    project: Float32[Array, "coefficient rank"]
    rebuild: Float32[Array, "rank coefficient"]
    synthesis_first_tap: int
    synthesis_block: Float32[Array, "coefficient_window block_sample"]

    def apply(self, signal: Float32[Array, "*batch sample"]) -> Float32[Array, "*batch sample"]:
        """Denoise signals of `num_samples`, along the last axis."""
        rows = np.ascontiguousarray(signal, dtype=np.float32).reshape(-1, self.num_samples)
        denoised = np.empty_like(rows)
        for first in range(0, len(rows), _ROWS_PER_CHUNK):  # the work stays in the cache
            chunk = slice(first, first + _ROWS_PER_CHUNK)
            coefficients = self._analyse(rows[chunk])
            coefficients -= (coefficients @ self.project) @ self.rebuild
            denoised[chunk] = self._synthesise(coefficients)
        return denoised.reshape(signal.shape)

    def _analyse(self, rows: Float32[Array, "row sample"]) -> Float32[Array, "row coefficient"]:
        if self.decimation == 1:
            return rows.copy()
        blocks = _windows(
            rows,
            first=self.analysis_first_tap,
            step=self.decimation * _COEFFICIENTS_PER_BLOCK,
            width=self.analysis_block.shape[0],
            count=-(-self.num_coefficients // _COEFFICIENTS_PER_BLOCK),
        )
        coefficients = (blocks @ self.analysis_block).reshape(len(rows), -1)
        coefficients = np.ascontiguousarray(coefficients[:, : self.num_coefficients])
        width = self.left_border.shape[1]
        coefficients[:, :width] = rows[:, : self.border_window] @ self.left_border
        coefficients[:, -width:] = rows[:, -self.border_window :] @ self.right_border
        return coefficients

    def _synthesise(
        self, coefficients: Float32[Array, "row coefficient"]
    ) -> Float32[Array, "row sample"]:
        if self.decimation == 1:
            return coefficients
        block_samples = self.decimation * _COEFFICIENTS_PER_BLOCK
        blocks = _windows(
            coefficients,
            first=self.synthesis_first_tap,
            step=_COEFFICIENTS_PER_BLOCK,
            width=self.synthesis_block.shape[0],
            count=-(-self.num_samples // block_samples),
        )
        samples = (blocks @ self.synthesis_block).reshape(len(coefficients), -1)
        return samples[:, : self.num_samples]


@lru_cache(maxsize=8)
def build_denoise_operator(
    num_samples: int, wavelet: str, level: int, num_finest_removed: int
) -> DenoiseOperator:
    """Read the matrices for one record length off PyWavelets (tens of milliseconds, cached)."""
    bands = _Bands(num_samples, wavelet, level, num_finest_removed)
    decimation = 2**num_finest_removed
    filter_length = _filter_length(wavelet)
    reach = filter_length * decimation  # no tap of either banded part lies further away
    num_border = 2 * reach // decimation
    border_window = 4 * reach
    if num_samples < 3 * border_window:
        raise ValueError(
            f"the prepared operator needs at least {3 * border_window} samples for {wavelet} "
            f"and {num_finest_removed} bands, got {num_samples}; use method='pywt'"
        )
    project, rebuild = bands.projection()
    empty = np.zeros((1, 1), np.float32)
    if decimation == 1:
        return DenoiseOperator(
            num_samples, 1, num_samples, 0, empty, 0, empty, empty, project, rebuild, 0, empty
        )
    # Interior blocks: the response of a whole block of outputs to the inputs around it.
    per_block = _COEFFICIENTS_PER_BLOCK
    first_coefficient = (num_samples // (2 * decimation)) // per_block * per_block
    start = first_coefficient * decimation - reach
    analysis = bands.analyse_impulses(start, decimation * per_block + 2 * reach)
    analysis = analysis[:, first_coefficient : first_coefficient + per_block]
    used = np.flatnonzero(np.abs(analysis).max(axis=1) > 0)
    analysis_first = start + int(used[0]) - first_coefficient * decimation
    analysis = analysis[used[0] : used[-1] + 1]

    first_sample = first_coefficient * decimation
    coefficient_start = first_coefficient - reach // decimation
    synthesis = bands.synthesise_impulses(coefficient_start, per_block + 2 * (reach // decimation))[
        :, first_sample : first_sample + per_block * decimation
    ]
    used = np.flatnonzero(np.abs(synthesis).max(axis=1) > 0)
    synthesis_first = coefficient_start + int(used[0]) - first_coefficient
    synthesis = synthesis[used[0] : used[-1] + 1]

    left = bands.analyse_impulses(0, border_window)[:, :num_border]
    right = bands.analyse_impulses(num_samples - border_window, border_window)[:, -num_border:]
    return DenoiseOperator(
        num_samples=num_samples,
        decimation=decimation,
        num_coefficients=bands.num_coefficients,
        analysis_first_tap=analysis_first,
        analysis_block=_as_matrix(analysis),
        border_window=border_window,
        left_border=_as_matrix(left),
        right_border=_as_matrix(right),
        project=project,
        rebuild=rebuild,
        synthesis_first_tap=synthesis_first,
        synthesis_block=_as_matrix(synthesis),
    )


class _Bands:
    """Impulse responses of the two halves of the decomposition, in float64."""

    def __init__(self, num_samples: int, wavelet: str, level: int, num_finest: int) -> None:
        self.num_samples = num_samples
        self.wavelet = wavelet
        self.num_finest = num_finest
        self.num_coarse = level - num_finest
        lengths = [num_samples]
        filter_length = _filter_length(wavelet)
        for _ in range(level):
            lengths.append(pywt.dwt_coeff_len(lengths[-1], filter_length, "symmetric"))
        self.lengths = lengths
        self.num_coefficients = lengths[num_finest]

    def analyse_impulses(self, first: int, count: int) -> np.ndarray:
        """Level-f approximation of unit impulses at `first`.. as [impulse, coefficient]."""
        rows = np.zeros((count, self.num_samples))
        rows[np.arange(count), first + np.arange(count)] = 1
        return self._down(rows, self.num_finest)

    def synthesise_impulses(self, first: int, count: int) -> np.ndarray:
        """Samples rebuilt from unit level-f coefficients at `first`.. as [impulse, sample]."""
        rows = np.zeros((count, self.num_coefficients))
        rows[np.arange(count), first + np.arange(count)] = 1
        return self._up(rows, self.num_finest, 0)

    def projection(self) -> tuple[np.ndarray, np.ndarray]:
        """Matrices to and from the removed approximation, seen from level f."""
        level = self.num_finest + self.num_coarse
        rank = self.lengths[level]
        rebuild = self._up(np.eye(rank), level, self.num_finest)
        # The analysis of all impulses, a chunk at a time: [coefficient, rank].
        chunks = []
        for first in range(0, self.num_coefficients, 256):
            count = min(256, self.num_coefficients - first)
            rows = np.zeros((count, self.num_coefficients))
            rows[np.arange(count), first + np.arange(count)] = 1
            chunks.append(self._down(rows, self.num_coarse))
        return _as_matrix(np.concatenate(chunks)), _as_matrix(rebuild)

    def _down(self, rows: np.ndarray, num_levels: int) -> np.ndarray:
        for _ in range(num_levels):
            rows, _detail = pywt.dwt(rows, self.wavelet, mode="symmetric", axis=-1)
        return rows

    def _up(self, rows: np.ndarray, from_level: int, to_level: int) -> np.ndarray:
        for level in range(from_level - 1, to_level - 1, -1):
            rows = pywt.idwt(rows, None, self.wavelet, mode="symmetric", axis=-1)
            rows = rows[..., : self.lengths[level]]
        return rows


def _filter_length(wavelet: str) -> int:
    """Taps of the decomposition filter."""
    # The class comes from a compiled module that the checker cannot see.
    return pywt.Wavelet(wavelet).dec_len  # pyright: ignore[reportAttributeAccessIssue]


def _as_matrix(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float32)


def _windows(rows: np.ndarray, *, first: int, step: int, width: int, count: int) -> np.ndarray:
    """Overlapping windows [row * block, width], zeros beyond the ends, contiguous for BLAS."""
    before = max(0, -first)
    after = max(0, first + (count - 1) * step + width - rows.shape[1])
    padded = np.zeros((rows.shape[0], before + rows.shape[1] + after), np.float32)
    padded[:, before : before + rows.shape[1]] = rows
    view = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1)
    start = first + before
    return view[:, start : start + (count - 1) * step + 1 : step].reshape(-1, width)
