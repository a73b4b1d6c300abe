"""Beats cut, aligned and sorted by the shape of their QRS complex; the average of one class."""

from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Bool, Float32, Int64
from ptacl_core.preprocess.medians import median_along

BEFORE = 250
AFTER = 400
"""Samples of the representative beat before and after R: 500 and 800 ms."""

_QRS_BEFORE = 40
_QRS_AFTER = 50
_MAX_SHIFT = 20
"""Samples (40 ms) by which a beat may be moved onto its class: detectors differ on R or S."""

_PAST_QRS, _BEFORE_QRS = 50, 40
"""Samples that the QRS complexes beside a beat take: after R of the last, before R of the next."""

MIN_CORRELATION = 0.85
_AMPLITUDE_RANGE = (0.6, 1.67)
_MAX_CLASSES = 6
_MAX_RESIDUAL_RATIO = 2.5
_MIN_WEIGHT_SHARE = 0.02


class SortedBeats(NamedTuple):
    """R samples after alignment, and the class of each beat: 0 has the most members."""

    r_samples: Int64[Array, " beat"]
    classes: Int64[Array, " beat"]


class AverageBeat(NamedTuple):
    """The weighted mean of some beats, `BEFORE` samples before R to `AFTER` after it.

    `noise_mv` is half the difference of the means of every other beat: the noise that is left
    in `signal_mv`, sample by sample (None with a single beat).
    """

    signal_mv: Float32[Array, "lead sample"]
    noise_mv: Float32[Array, "lead sample"] | None
    num_beats: int

    def of_leads(self, is_chosen: Bool[Array, " lead"]) -> "AverageBeat":
        """Some of the leads."""
        noise_mv = None if self.noise_mv is None else self.noise_mv[is_chosen]
        return AverageBeat(self.signal_mv[is_chosen], noise_mv, self.num_beats)


def sort_beats(
    signal_mv: Float32[Array, "lead sample"], r_peak_samples: Int64[Array, " beat"]
) -> SortedBeats:
    """Classes of alike QRS complexes, largest first, each beat moved onto its class.

    Two beats are alike when the complexes of all leads in a row correlate by 0.85 or more, best
    shift within 40 ms, and their sizes differ by less than two thirds.
    """
    r_samples = np.array(r_peak_samples, dtype=np.int64)
    classes = np.full(len(r_samples), -1, np.int64)
    windows = _cut(signal_mv, r_samples, _QRS_BEFORE + _MAX_SHIFT, _QRS_AFTER + _MAX_SHIFT)
    number = 0
    while (classes < 0).any():
        left = np.flatnonzero(classes < 0)
        if number == _MAX_CLASSES:  # nothing repeats: each of the others is a class of its own
            classes[left] = number + np.arange(len(left))
            number += len(left)
            break
        is_alike, shift = _grow_class(windows[left])
        members = left[is_alike]
        classes[members] = number
        r_samples[members] += shift[is_alike]
        number += 1
    counts = np.bincount(classes, minlength=number)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(number, np.int64)
    rank[order] = np.arange(number)
    return SortedBeats(r_samples, rank[classes])


def _grow_class(
    windows: Float32[Array, "beat lead sample"],
) -> tuple[Bool[Array, " beat"], Int64[Array, " beat"]]:
    """The beats that are like the most typical one, and the shift that lays each on their mean."""
    template = _choose_seed(windows)
    # Every other sample tells which beats are alike, and by how much they are apart, well enough.
    is_alike, half_shift = _find_alike(windows[:, :, ::2], template[:, ::2])
    shift = 2 * half_shift
    template = _shifted_mean(windows[is_alike], shift[is_alike])
    return _find_alike(windows, template)


def _find_alike(
    windows: Float32[Array, "beat lead sample"], template: Float32[Array, "lead offset"]
) -> tuple[Bool[Array, " beat"], Int64[Array, " beat"]]:
    correlation, shift, ratio = _match(windows, template)
    is_alike = correlation >= MIN_CORRELATION
    is_alike &= (ratio > _AMPLITUDE_RANGE[0]) & (ratio < _AMPLITUDE_RANGE[1])
    if not is_alike.any():
        is_alike[int(np.argmax(correlation))] = True
    return is_alike, shift


def average_beats(
    signal_mv: Float32[Array, "lead sample"],
    r_samples: Int64[Array, " beat"],
    chosen: Int64[Array, " chosen"],
) -> AverageBeat:
    """The mean of the chosen beats of all, each weighted by how little it deviates, lead by lead.

    A beat counts where it has samples, and not within the QRS complexes beside it. Weights are the
    inverse of the squared deviation from the plain mean; a beat whose deviation is over 2.5 times
    the median counts little, so that a burst of noise does not shape the average.
    """
    beats, is_inside = _cut_padded(signal_mv, r_samples, chosen)
    level = _level(beats, is_inside)
    beats = (beats - level[:, :, None]) * is_inside[None, :, :]
    num_beats = len(chosen)
    if num_beats == 1:
        return AverageBeat(beats[:, 0], None, 1)
    share = is_inside.astype(np.float32)
    cover = np.maximum(share.sum(axis=0), 1.0)
    mean = beats.sum(axis=1) / cover
    deviation = (beats - mean[:, None]) * share
    power = np.einsum("lbs,lbs->lb", deviation, deviation) / share.sum(axis=1)
    typical = np.maximum(np.asarray(median_along(power, axis=1))[:, None], 1e-10)
    weight = typical / np.maximum(power, 0.25 * typical)
    weight = np.where(power > _MAX_RESIDUAL_RATIO**2 * typical, _MIN_WEIGHT_SHARE, weight)
    weight = weight.astype(np.float32)
    halves = [_weighted(beats, share, weight, np.arange(start, num_beats, 2)) for start in (0, 1)]
    totals = halves[0][0] + halves[1][0]
    weights = halves[0][1] + halves[1][1]
    signal = totals / np.maximum(weights, 1e-6)
    half_beats = [total / np.maximum(weight, 1e-6) for total, weight in halves]
    return AverageBeat(signal, 0.5 * (half_beats[0] - half_beats[1]), num_beats)


def _weighted(
    beats: Float32[Array, "lead beat sample"],
    share: Float32[Array, "beat sample"],
    weight: Float32[Array, "lead beat"],
    chosen: Int64[Array, " chosen"],
) -> tuple[Float32[Array, "lead sample"], Float32[Array, "lead sample"]]:
    part = weight[:, chosen]
    total = np.einsum("lb,lbs->ls", part, beats[:, chosen])
    return total, part @ share[chosen]


def _level(
    beats: Float32[Array, "lead beat sample"], is_inside: Bool[Array, "beat sample"]
) -> Float32[Array, "lead beat"]:
    """Mean of each beat over 300 ms around R, so that beats with other baselines agree."""
    reach = slice(BEFORE - 75, BEFORE + 75)
    share = is_inside[:, reach].astype(np.float32)
    total = np.einsum("lbs,bs->lb", beats[:, :, reach], share)
    return total / np.maximum(share.sum(axis=1), 1.0)


def _cut_padded(
    signal_mv: Float32[Array, "lead sample"],
    r_samples: Int64[Array, " beat"],
    chosen: Int64[Array, " chosen"],
) -> tuple[Float32[Array, "lead chosen sample"], Bool[Array, "chosen sample"]]:
    """Whole windows, and which of their samples belong to the beat itself."""
    num_samples = signal_mv.shape[1]
    index = r_samples[chosen][:, None] + np.arange(-BEFORE, AFTER)
    ends = np.concatenate(([-_PAST_QRS], r_samples, [num_samples + _BEFORE_QRS]))
    low, high = ends[chosen] + _PAST_QRS, ends[chosen + 2] - _BEFORE_QRS
    is_inside = (index >= low[:, None]) & (index < high[:, None])
    return signal_mv[:, np.clip(index, 0, num_samples - 1)], is_inside


def _cut(
    signal_mv: Float32[Array, "lead sample"],
    r_samples: Int64[Array, " beat"],
    before: int,
    after: int,
) -> Float32[Array, "beat lead sample"]:
    index = np.clip(r_samples[:, None] + np.arange(-before, after), 0, signal_mv.shape[1] - 1)
    return np.ascontiguousarray(signal_mv[:, index].transpose(1, 0, 2))


def _choose_seed(windows: Float32[Array, "beat lead sample"]) -> Float32[Array, "lead offset"]:
    """The complex that the most others resemble as they lie."""
    inner = windows[:, :, _MAX_SHIFT:-_MAX_SHIFT]
    centred = inner - inner.mean(axis=2, keepdims=True)
    flat = centred.reshape(len(centred), -1)
    norm = np.sqrt(np.maximum(np.einsum("bs,bs->b", flat, flat), 1e-12))
    alike = (flat @ flat.T) / (norm[:, None] * norm)
    votes = (alike >= MIN_CORRELATION).sum(axis=1) + 0.5 * alike.mean(axis=1)
    return centred[int(np.argmax(votes))]


def _match(
    windows: Float32[Array, "beat lead sample"], template: Float32[Array, "lead offset"]
) -> tuple[Array, Int64[Array, " beat"], Array]:
    """Best correlation over the shifts, that shift, and the size relative to the template."""
    width = template.shape[1]
    num_shifts = windows.shape[2] - width + 1
    sliding = np.lib.stride_tricks.sliding_window_view(windows, width, axis=2)
    product = np.einsum("blks,ls->bk", sliding, template, optimize=True)
    total = _running_sum(windows, width)
    power = _running_sum(windows * windows, width) - total * total / np.float32(width)
    power = np.maximum(power.sum(axis=1), 1e-12)
    own = max(float((template**2).sum()), 1e-12)
    correlation = product / np.sqrt(power * own)
    # A tie is settled by the smallest shift.
    penalty = 1e-3 * np.abs(np.arange(num_shifts) - num_shifts // 2) / num_shifts
    best = np.argmax(correlation - penalty, axis=1)
    rows = np.arange(len(windows))
    ratio = product[rows, best] / own
    return correlation[rows, best], best - num_shifts // 2, ratio


def _running_sum(
    values: Float32[Array, "beat lead sample"], width: int
) -> Float32[Array, "beat lead shift"]:
    """The sum of `width` neighbours, for every place where they fit."""
    sums = np.zeros((*values.shape[:2], values.shape[2] + 1), np.float32)
    np.cumsum(values, axis=2, out=sums[:, :, 1:])
    return sums[:, :, width:] - sums[:, :, :-width]


def _shifted_mean(
    windows: Float32[Array, "beat lead sample"], shift: Int64[Array, " beat"]
) -> Float32[Array, "lead offset"]:
    width = _QRS_BEFORE + _QRS_AFTER
    pieces = [
        window[:, _MAX_SHIFT + move : _MAX_SHIFT + move + width]
        for window, move in zip(windows, shift.tolist(), strict=True)
    ]
    mean = np.mean(pieces, axis=0)
    return mean - mean.mean(axis=1, keepdims=True)
