"""A second opinion on an ECG's figures, by neurokit2, independent of our own delineation.

It is slow and delineates lead by lead: asked by `ptacl doctor` and the app for one ECG at a time,
never while a cohort is preprocessed. neurokit2 answers with figures for noise, spikes and wrong
units too, so it sees only recordings that passed the quality checks, have five or more alike
beats, and its answers are kept only where the leads agree and the figure is possible.
"""

import math
import warnings
from typing import Literal, NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.preprocess.quality import MIN_BEATS_FOR_INTERVALS
from ptacl_core.records import EcgRecord, PreparedEcg

SECOND_OPINION_NAMES = ("heart_rate_bpm", "pr_ms", "qrs_ms", "qt_ms", "qtc_ms", "axis_deg")

_RATE_HZ = 500.0
_MIN_TRAIN_S = 10.0
_MIN_COPIES = 8
_NUM_DELINEATED = 5
"""Beats that neurokit2 looks at, in the middle of the train: they are copies of one cycle."""
_MIN_ALIKE = 0.8
_MIN_LEADS_AGREEING = 4


class _Boundary(NamedTuple):
    """How the leads' answers for one wave boundary become one, in ms from the R peak."""

    neurokit_name: str
    earliest_ms: float
    latest_ms: float
    quantile: float
    tolerance_ms: float


_BOUNDARIES = {
    "p_onset": _Boundary("ECG_P_Onsets", -350.0, -90.0, 0.25, 30.0),
    "qrs_onset": _Boundary("ECG_R_Onsets", -110.0, -15.0, 0.5, 20.0),
    "qrs_offset": _Boundary("ECG_R_Offsets", 10.0, 160.0, 0.75, 20.0),
    "t_offset": _Boundary("ECG_T_Offsets", 180.0, 560.0, 0.75, 40.0),
}
"""Onsets early and offsets late, as the first and last deflection in any lead define them."""

_INTERVALS = {
    "pr_ms": ("p_onset", "qrs_onset", 90.0, 350.0),
    "qrs_ms": ("qrs_onset", "qrs_offset", 55.0, 210.0),
    "qt_ms": ("qrs_onset", "t_offset", 230.0, 620.0),
}
"""Start, stop, and the limits outside which the figure is left out."""

_MAX_QT_SHARE = 0.75


def ask_neurokit(
    prepared: PreparedEcg,
    record: EcgRecord | None = None,
    *,
    method: Literal["dwt", "prominence"] = "dwt",
) -> dict[str, float]:
    """Heart rate, PR, QRS, QT, QTc (Bazett, QT / sqrt(RR in s)) and frontal QRS axis.

    A figure that cannot be measured is absent: all of them for a rejected recording, all but
    the heart rate with under five R peaks. `record` is the recording itself: its findings are
    heeded too, should `prepared` have been built without them.

    Intervals come from the median beat of each lead: PR from P onset to QRS onset, QRS from
    onset to offset, QT from QRS onset to T offset. A boundary is a quantile over the leads that
    have it, kept when at least four of them agree. No PR in an irregular rhythm, no interval in
    a paced one.
    """
    if not prepared.is_accepted or prepared.heart_rate_bpm is None:
        return {}
    if record is not None and any(finding.severity == "reject" for finding in record.findings):
        return {}
    measured = {"heart_rate_bpm": float(prepared.heart_rate_bpm)}
    if len(prepared.r_peak_samples) < MIN_BEATS_FOR_INTERVALS:
        return measured
    beat = _median_beat(prepared)
    if beat is None:
        return measured
    cycles, r_sample, rr_samples = beat
    codes = {finding.code for finding in prepared.findings}
    boundaries: dict[str, float] = {}
    if "paced" not in codes:  # the delineator takes pacing artefacts for waves
        boundaries = _find_boundaries(cycles, r_sample, rr_samples, method)
    if "irregular_rhythm" in codes:  # without sinus rhythm an averaged P wave means nothing
        boundaries.pop("p_onset", None)
    measured |= _intervals(boundaries, rr_samples / _RATE_HZ)
    axis_deg = _frontal_axis_deg(cycles, r_sample, boundaries)
    return measured if axis_deg is None else measured | {"axis_deg": axis_deg}


def _median_beat(
    prepared: PreparedEcg,
) -> tuple[Float64[Array, "12 sample"], int, int] | None:
    """One cycle per lead from 35 % of an RR before R, the ends level; its R; its length."""
    peaks = prepared.r_peak_samples
    rr_samples = int(np.median(np.diff(peaks)))
    before = round(0.35 * rr_samples)
    inside = peaks[(peaks >= before) & (peaks - before + rr_samples <= prepared.signal_mv.shape[1])]
    if len(inside) < MIN_BEATS_FOR_INTERVALS - 1:
        return None
    window = (inside - before)[:, None] + np.arange(rr_samples)
    beats = prepared.signal_mv[:, window].astype(np.float64)
    median = np.median(beats, axis=1)
    is_alike = _correlation(beats, median, before) >= _MIN_ALIKE
    if is_alike.sum() < MIN_BEATS_FOR_INTERVALS - 1:
        return None
    median = np.median(beats[:, is_alike], axis=1)
    ramp = np.linspace(0.0, 1.0, rr_samples)
    start = median[:, :5].mean(axis=1, keepdims=True)
    stop = median[:, -5:].mean(axis=1, keepdims=True)
    return median - start - ramp * (stop - start), before, rr_samples


def _correlation(
    beats: Float64[Array, "12 beat sample"], median: Float64[Array, "12 sample"], r_sample: int
) -> Float64[Array, " beat"]:
    """Of each beat's QRS complexes, all leads in a row, with the median beat's."""
    reach = slice(max(0, r_sample - 40), r_sample + 41)
    part = beats[:, :, reach] - beats[:, :, reach].mean(axis=2, keepdims=True)
    reference = median[:, reach] - median[:, reach].mean(axis=1, keepdims=True)
    product = np.einsum("lbs,ls->b", part, reference)
    power = np.einsum("lbs,lbs->b", part, part) * np.einsum("ls,ls->", reference, reference)
    return product / np.sqrt(np.maximum(power, 1e-20))


def _frontal_axis_deg(
    cycles: Float64[Array, "12 sample"], r_sample: int, boundaries: dict[str, float]
) -> float | None:
    """Angle of the net QRS areas of I and aVF above the line from onset to offset, ±180°."""
    if "qrs_onset" not in boundaries or "qrs_offset" not in boundaries:
        return None
    onset_ms, offset_ms = boundaries["qrs_onset"], boundaries["qrs_offset"]
    first = max(0, r_sample + round(onset_ms * _RATE_HZ / 1000.0))
    part = cycles[:, first : r_sample + round(offset_ms * _RATE_HZ / 1000.0) + 1]
    level = 0.5 * (part[:, :3].mean(axis=1) + part[:, -3:].mean(axis=1))
    area = (part - level[:, None]).sum(axis=1) / _RATE_HZ
    one, avf = float(area[0]), float(area[5]) * 2.0 / math.sqrt(3.0)
    if math.hypot(one, avf) < 0.002:  # mV s: no net vector, no axis
        return None
    return math.degrees(math.atan2(avf, one))


def _find_boundaries(
    cycles: Float64[Array, "12 sample"],
    r_sample: int,
    rr_samples: int,
    method: str,
) -> dict[str, float]:
    """Wave boundaries of all leads together, in ms from R; those that few leads have are absent."""
    answers: dict[str, list[float]] = {name: [] for name in _BOUNDARIES}
    num_copies = max(_MIN_COPIES, math.ceil(_MIN_TRAIN_S * _RATE_HZ / rr_samples))
    for lead in range(12):
        if lead == 3 or np.ptp(cycles[lead]) < 0.1:  # aVR repeats I and II, inverted
            continue
        waves = _delineate(cycles[lead], r_sample, num_copies, method)
        for name, boundary in _BOUNDARIES.items():
            answers[name] += waves.get(boundary.neurokit_name, [])
    boundaries: dict[str, float] = {}
    for name, boundary in _BOUNDARIES.items():
        values = np.array(answers[name]) * 1000.0 / _RATE_HZ
        values = values[(values >= boundary.earliest_ms) & (values <= boundary.latest_ms)]
        if values.size < _MIN_LEADS_AGREEING:
            continue
        chosen = float(np.quantile(values, boundary.quantile))
        num_near = int((np.abs(values - chosen) <= boundary.tolerance_ms).sum())
        if num_near >= _MIN_LEADS_AGREEING:
            boundaries[name] = chosen
    return boundaries


def _intervals(boundaries: dict[str, float], rr_s: float) -> dict[str, float]:
    measured: dict[str, float] = {}
    for name, (start, stop, shortest, longest) in _INTERVALS.items():
        if start in boundaries and stop in boundaries:
            value_ms = boundaries[stop] - boundaries[start]
            if shortest <= value_ms <= longest:
                measured[name] = value_ms
    if measured.get("qt_ms", 0.0) > _MAX_QT_SHARE * rr_s * 1000.0:
        del measured["qt_ms"]
    if "qt_ms" in measured:
        measured["qtc_ms"] = measured["qt_ms"] / math.sqrt(rr_s)
    return measured


def _delineate(
    cycle_mv: Float64[Array, " sample"], r_sample: int, num_copies: int, method: str
) -> dict[str, list[float]]:
    """neurokit2's boundaries in a train of one cycle, in samples from R; at most one a name."""
    rr_samples = len(cycle_mv)
    first = (num_copies - _NUM_DELINEATED) // 2
    peaks = r_sample + rr_samples * np.arange(first, first + _NUM_DELINEATED)
    with warnings.catch_warnings():
        # The import drags in pkg_resources; delineation warns of empty means on odd beats.
        warnings.simplefilter("ignore")
        import neurokit2

        try:
            _, waves = neurokit2.ecg_delineate(
                np.tile(cycle_mv, num_copies), peaks, sampling_rate=int(_RATE_HZ), method=method
            )
        except (ValueError, IndexError, ZeroDivisionError, KeyError, TypeError):
            # What neurokit2 raises when a wave is missing: this lead then tells nothing.
            return {}
    by_wave: dict[str, list[float]] = {}
    for boundary in _BOUNDARIES.values():
        samples = np.asarray(waves.get(boundary.neurokit_name, []), dtype=np.float64)
        samples = samples[np.isfinite(samples)]
        # The list has one entry per beat; a boundary before R may lie in the cycle before.
        nearest = peaks[np.abs(samples[:, None] - peaks).argmin(axis=1)]
        relative = samples - nearest
        inner = relative[(nearest > peaks[0]) & (nearest < peaks[-1])]
        if inner.size >= 3:
            by_wave[boundary.neurokit_name] = [float(np.median(inner))]
    return by_wave
