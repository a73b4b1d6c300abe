"""One delineation over all leads: of the representative beat, and from it of every beat."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from ptacl_core.arrays import Array, Float32, Int64
from ptacl_core.preprocess.delineation.beats import (
    BEFORE,
    SortedBeats,
    average_beats,
    sort_beats,
)
from ptacl_core.preprocess.delineation.conditioning import condition_ecg
from ptacl_core.preprocess.delineation.every_beat import P_REACH, T_REACH, move_wave
from ptacl_core.preprocess.delineation.waves import (
    Waves,
    describe_doubts,
    find_ventricular_waves,
    find_waves,
    level_before,
)
from ptacl_core.preprocess.medians import median_along
from ptacl_core.preprocess.resample import resample_ecg
from ptacl_core.records.marks import MARK_NAMES, MARKS_RATE_HZ, BeatMarks, EcgMarks

_MIN_LIVE_MV = 1e-3
_MIN_ALIKE_BEATS = 3
_MIN_ALIKE_SHARE = 0.34
_PREMATURE = 0.85
_MAX_CLASSES_MARKED = 5


def delineate(
    signal_mv: Float32[Array, "12 sample"],
    *,
    sampling_rate_hz: float,
    r_peak_samples: Int64[Array, " beat"],
) -> EcgMarks:
    """Onsets and offsets of P, QRS and T over all leads together, at 500 Hz.

    `signal_mv` is the recording itself, not the denoised one, which has lost what is slow. Beats
    are sorted by shape, the largest class is averaged, and the waves of the average are found
    with windows in milliseconds, so that a beat measures the same at any heart rate. P and T
    are then moved onto each beat. What cannot be told is absent, with the reason.
    """
    r_samples = np.asarray(r_peak_samples, dtype=np.int64)
    leads = np.nan_to_num(np.asarray(signal_mv, dtype=np.float32))
    if sampling_rate_hz != MARKS_RATE_HZ:
        r_samples = np.rint(r_samples * (MARKS_RATE_HZ / sampling_rate_hz)).astype(np.int64)
        leads = resample_ecg(leads, from_hz=sampling_rate_hz, to_hz=MARKS_RATE_HZ)
    is_live = np.ptp(leads, axis=1) > _MIN_LIVE_MV if leads.size else np.zeros(len(leads), bool)
    r_samples = r_samples[(r_samples >= 0) & (r_samples < leads.shape[1])]
    if not is_live.any() or len(r_samples) < 2:
        return _nothing(r_samples, "fewer than two heart beats, or no lead with a signal")
    conditioned = condition_ecg(leads, sampling_rate_hz=MARKS_RATE_HZ)
    live = conditioned[is_live]
    order = sort_beats(live, r_samples)
    counts = np.bincount(order.classes)
    if counts[0] < _MIN_ALIKE_BEATS or counts[0] < _MIN_ALIKE_SHARE * len(r_samples):
        reason = f"no QRS shape repeats: {counts[0]} of {len(r_samples)} beats are alike"
        return _nothing(r_samples, reason, order)
    chosen = _choose_beats(order)
    rr_samples = _typical_rr(order, chosen)
    whole = average_beats(conditioned, order.r_samples, chosen)
    average = whole.of_leads(is_live)
    waves = [find_waves(average, live, order, chosen, rr_samples)]
    reasons = _reasons_of(waves[0])
    for number in range(1, min(len(counts), _MAX_CLASSES_MARKED)):
        members = np.flatnonzero(order.classes == number)
        waves.append(find_ventricular_waves(live, order, members))
    onset = waves[0].qrs.onset
    beat_mv = whole.signal_mv if onset is None else level_before(whole, onset).signal_mv
    representative = _place(waves[0], r_peak=BEFORE, shift=0)
    return EcgMarks(
        beats=_mark_beats(live, r_samples, order, waves),
        representative=representative,
        representative_mv=beat_mv.astype(np.float32),
        num_averaged=len(chosen),
        class_counts=tuple(counts.tolist()),
        absent=_reasons(representative, reasons),
        unsure=describe_doubts(waves[0], rr_samples),
    )


def _choose_beats(order: SortedBeats) -> Int64[Array, " chosen"]:
    """Beats of the largest class that did not come early; all of it when few are left."""
    members = np.flatnonzero(order.classes == 0)
    intervals = np.diff(order.r_samples, prepend=order.r_samples[0] - 10**6)
    typical = median_along(np.diff(order.r_samples))
    timely = members[intervals[members] >= _PREMATURE * typical]
    return timely if len(timely) >= max(_MIN_ALIKE_BEATS, len(members) // 2) else members


def _typical_rr(order: SortedBeats, chosen: Int64[Array, " chosen"]) -> int:
    """Median interval before the beats that are averaged."""
    intervals = np.diff(order.r_samples)
    before = intervals[chosen[chosen > 0] - 1]
    return int(median_along(before if len(before) else intervals))


def _reasons_of(waves: Waves) -> dict[str, str]:
    return {"p": waves.p_wave.reason, "qrs": waves.qrs.reason, "t": waves.t_wave.reason}


def _mark_beats(
    live: Float32[Array, "lead sample"],
    r_peaks: Int64[Array, " beat"],
    order: SortedBeats,
    waves: list[Waves],
) -> tuple[BeatMarks, ...]:
    """The marks of each class on each of its beats, P and T moved where they fit best."""
    shifts = {}
    first = waves[0]
    members = np.flatnonzero(order.classes == 0)
    if first.p_wave.onset is not None and first.p_wave.offset is not None:
        shifts["p"] = move_wave(
            live, order.r_samples[members], first.average.signal_mv,
            first.p_wave.onset, first.p_wave.offset, reach=P_REACH,
        )  # fmt: skip
    if first.t_wave.end is not None and first.t_wave.peak is not None:
        start = 2 * first.t_wave.peak - first.t_wave.end
        shifts["t"] = move_wave(
            live, order.r_samples[members], first.average.signal_mv,
            start, first.t_wave.end, reach=T_REACH,
        )  # fmt: skip
    place = {beat: index for index, beat in enumerate(members.tolist())}
    last = np.append(order.r_samples[1:], live.shape[1] + BEFORE)
    marks = []
    for beat, r_sample in enumerate(order.r_samples.tolist()):
        number = int(order.classes[beat])
        if number >= len(waves):
            marks.append(BeatMarks(r_peak=int(r_peaks[beat]), beat_class=number))
            continue
        p_shift = t_shift = 0
        if number == 0:
            p_shift = int(shifts["p"][place[beat]]) if "p" in shifts else 0
            t_shift = int(shifts["t"][place[beat]]) if "t" in shifts else 0
        placed = _place(
            waves[number],
            r_peak=int(r_peaks[beat]),
            shift=r_sample - BEFORE,
            p_shift=p_shift,
            t_shift=t_shift,
            beat_class=number,
        )
        marks.append(_inside(placed, live.shape[1], int(last[beat])))
    return tuple(marks)


def _place(
    waves: Waves,
    *,
    r_peak: int,
    shift: int,
    p_shift: int = 0,
    t_shift: int = 0,
    beat_class: int = 0,
) -> BeatMarks:
    def at(sample: int | None, more: int = 0) -> int | None:
        return None if sample is None else int(sample) + shift + more

    return BeatMarks(
        r_peak=r_peak,
        p_onset=at(waves.p_wave.onset, p_shift),
        p_offset=at(waves.p_wave.offset, p_shift),
        qrs_onset=at(waves.qrs.onset),
        qrs_offset=at(waves.qrs.offset),
        t_peak=at(waves.t_wave.peak, t_shift),
        t_end=at(waves.t_wave.end, t_shift),
        beat_class=beat_class,
    )


def _inside(marks: BeatMarks, num_samples: int, next_r: int) -> BeatMarks:
    """Without marks outside the recording, and without a T wave that the next beat cuts off."""
    kept = {name: marks.at(name) for name in MARK_NAMES}
    for name, sample in kept.items():
        if sample is not None and not 0 <= sample < num_samples:
            kept[name] = None
    for name in ("t_peak", "t_end"):
        sample = kept[name]
        if sample is not None and sample >= next_r:
            kept[name] = None
    return marks.moved(**kept)


def _reasons(representative: BeatMarks, reasons: dict[str, str]) -> Mapping[str, str]:
    absent = {
        name: reasons[name.split("_")[0]] for name in MARK_NAMES if representative.at(name) is None
    }
    return MappingProxyType(absent)


def _nothing(
    r_samples: Int64[Array, " beat"], reason: str, order: SortedBeats | None = None
) -> EcgMarks:
    classes = [0] * len(r_samples) if order is None else order.classes.tolist()
    return EcgMarks(
        beats=tuple(
            BeatMarks(r_peak=int(r), beat_class=number)
            for r, number in zip(r_samples.tolist(), classes, strict=True)
        ),
        representative=None,
        representative_mv=None,
        class_counts=() if order is None else tuple(np.bincount(order.classes).tolist()),
        absent=MappingProxyType(dict.fromkeys(MARK_NAMES, reason)),
    )
