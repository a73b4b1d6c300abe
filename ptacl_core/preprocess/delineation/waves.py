"""The waves of one class of beats: averaged, and found on the average."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float32, Int64
from ptacl_core.preprocess.delineation.beats import (
    BEFORE,
    AverageBeat,
    SortedBeats,
    average_beats,
)
from ptacl_core.preprocess.delineation.every_beat import p_repeats
from ptacl_core.preprocess.delineation.p_wave import PWave, find_p_wave
from ptacl_core.preprocess.delineation.qrs import Qrs, find_qrs
from ptacl_core.preprocess.delineation.t_wave import TWave, find_t_wave

_LEVEL_SAMPLES = 8
_AFTER_T_PEAK = 25
_LEFT_OF_T = 0.3
_NEAR_P = 110
_SHORTEST_QT = 110
_SHORTEST_ST = 40
_BEFORE_NEXT_QRS = 8
_SHORTEST_RR_WITHOUT_T = 200
"""Samples (400 ms): at faster rates a P wave counts only where T ends before it."""

_QRS_DOUBT, _T_DOUBT = 8, 20
_JOINED = 25


class Waves(NamedTuple):
    """The waves of one class, in samples of its average beat."""

    average: AverageBeat
    qrs: Qrs
    p_wave: PWave
    t_wave: TWave


def find_waves(
    average: AverageBeat,
    live: Float32[Array, "lead sample"],
    order: SortedBeats,
    chosen: Int64[Array, " chosen"],
    rr_samples: int,
) -> Waves:
    """QRS, T and P of the class that the recording is measured on."""
    qrs = find_qrs(average.signal_mv, average.noise_mv, BEFORE)
    if qrs.onset is None or qrs.offset is None:
        return Waves(
            average, qrs, PWave(None, None, None, qrs.reason), TWave(None, None, qrs.reason)
        )
    average = level_before(average, qrs.onset)
    t_wave, p_wave = _find_slow_waves(average, qrs.onset, qrs.offset, rr_samples)
    p_wave = _keep_repeating(live, order, chosen, p_wave)
    return Waves(average, qrs, p_wave, t_wave)


def level_before(average: AverageBeat, qrs_onset: int) -> AverageBeat:
    """The beat with the mean of the 16 ms before its QRS complex at 0 in every lead."""
    before = average.signal_mv[:, qrs_onset - _LEVEL_SAMPLES : qrs_onset]
    return average._replace(signal_mv=average.signal_mv - before.mean(axis=1, keepdims=True))


def _find_slow_waves(
    average: AverageBeat, qrs_onset: int, qrs_offset: int, rr_samples: int
) -> tuple[TWave, PWave]:
    """T and P of a beat, told apart from the P and the T of the beats beside it.

    First T up to the next QRS complex, and P after T's peak or end; then T again, up to that P,
    since at fast rates one follows the other at once. Where that fails, what looked like T may be
    P, as where T is flat: P within 220 ms before QRS, and T up to it.
    """
    signal, noise = average.signal_mv, average.noise_mv

    def p_after(sample: int) -> PWave:
        return find_p_wave(signal, noise, qrs_onset, first_sample=sample - rr_samples)

    def is_level(p_wave: PWave) -> bool:
        """The leads have come back from T where P begins."""
        if t_wave.peak is None or p_wave.joint is None:
            return True
        joint = min(p_wave.joint + rr_samples, signal.shape[1] - 1)
        left, height = (np.linalg.norm(signal[:, at]) for at in (joint, t_wave.peak))
        return bool(left <= _LEFT_OF_T * height)

    next_qrs = qrs_onset + rr_samples - _BEFORE_NEXT_QRS
    t_wave = find_t_wave(signal, noise, qrs_offset, last_sample=next_qrs)
    p_wave = PWave(None, None, None)
    if t_wave.peak is not None:
        p_wave = p_after(t_wave.peak + _AFTER_T_PEAK)
    if p_wave.peak is None and t_wave.end is not None:
        p_wave = p_after(t_wave.end)
    elif p_wave.peak is not None and not is_level(p_wave):  # a later phase of T comes first
        later = p_after(p_wave.peak + rr_samples)
        p_wave = later if later.peak is not None and is_level(later) else p_wave
    near = max(qrs_onset - _NEAR_P, qrs_offset + _SHORTEST_ST - rr_samples) + rr_samples
    without_t: list[tuple[TWave, PWave]] = []
    for candidate in (lambda: p_wave, lambda: p_after(near)):
        waves = candidate()
        if waves.joint is None:
            continue
        before_p = waves.joint + rr_samples
        shorter = find_t_wave(signal, noise, qrs_offset, last_sample=before_p)
        if shorter.end is not None and shorter.end - qrs_onset >= _SHORTEST_QT:
            return shorter, waves
        without_t.append((shorter._replace(end=None), waves))
    if without_t and t_wave.end is None:
        if rr_samples < _SHORTEST_RR_WITHOUT_T:
            return without_t[0][0], PWave(
                None, None, None, "at this rate T may be what looks like P"
            )
        return without_t[0]
    return t_wave, PWave(None, None, None, p_wave.reason or "no P wave is told from T")


def _keep_repeating(
    live: Float32[Array, "lead sample"],
    order: SortedBeats,
    chosen: Int64[Array, " chosen"],
    p_wave: PWave,
) -> PWave:
    """P is taken back where it does not repeat from beat to beat."""
    if p_wave.onset is None or p_wave.offset is None:
        return p_wave
    repeats = p_repeats(live, order.r_samples[chosen], p_wave.onset, p_wave.offset)
    if repeats.is_credible:
        return p_wave
    intervals = np.diff(order.r_samples)
    spread = 100.0 * float(intervals.std() / intervals.mean())
    reason = (
        "no P wave repeats before the QRS complexes (correlation from beat to beat "
        f"{repeats.correlation:.2f}, RR varies by {spread:.0f} %)"
    )
    return PWave(None, None, None, reason)


def find_ventricular_waves(
    live: Float32[Array, "lead sample"], order: SortedBeats, members: Int64[Array, " member"]
) -> Waves:
    """QRS and T of a class of other shape: ectopic, aberrant or intermittently paced beats."""
    average = average_beats(live, order.r_samples, members)
    qrs = find_qrs(average.signal_mv, average.noise_mv, BEFORE)
    no_p = PWave(None, None, None, "no P wave is looked for before beats of another shape")
    if qrs.onset is None or qrs.offset is None:
        return Waves(average, qrs, no_p, TWave(None, None, qrs.reason))
    average = level_before(average, qrs.onset)
    intervals = np.diff(order.r_samples, append=order.r_samples[-1] + 10**6)[members]
    next_qrs = qrs.onset + int(min(np.median(intervals), 10**5)) - _BEFORE_NEXT_QRS
    t_wave = find_t_wave(average.signal_mv, average.noise_mv, qrs.offset, last_sample=next_qrs)
    return Waves(average, qrs, no_p, t_wave)


def describe_doubts(waves: Waves, rr_samples: int) -> Mapping[str, str]:
    """Marks that may lie elsewhere, and why.

    Half of the limit would put them elsewhere by more than 16 ms (QRS) or 40 ms (T); or P begins
    within 50 ms of the end of T of the beat before, `rr_samples` earlier: one may hide the other.
    """
    doubts: dict[str, str] = {}
    p_onset, t_end = waves.p_wave.onset, waves.t_wave.end
    if p_onset is not None and (t_end is None or p_onset + rr_samples - t_end < _JOINED):
        close = "P begins within 50 ms of the end of T before it: one may hide the other's end"
        doubts["p_onset"] = close
        if t_end is not None:
            doubts["t_end"] = close
    onset = waves.qrs.onset
    for name, end, latest, limit, words in (
        ("qrs_offset", waves.qrs.offset, waves.qrs.latest_offset, _QRS_DOUBT, "QRS lasts"),
        ("t_end", waves.t_wave.end, waves.t_wave.latest_end, _T_DOUBT, "QT is"),
    ):
        if onset is None or end is None or latest is None or latest - end <= limit:
            continue
        short_ms, long_ms = 2 * (end - onset), 2 * (latest - onset)
        doubts[name] = f"{words} {short_ms} ms, or {long_ms} ms with what fades slowly after it"
    return MappingProxyType(doubts)
