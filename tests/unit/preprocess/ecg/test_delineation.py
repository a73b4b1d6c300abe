"""The delineation: the same beat at any rate, what is absent and why, marks of every beat."""

import numpy as np
import pytest

from ptacl_core.preprocess import analyse_ecg, delineate, detect_r_peaks, prepare_ecg
from ptacl_core.records import MARK_NAMES

RATES_BPM = (40, 55, 75, 100, 130)
TIME_S = np.arange(5000) / 500
# Centre and width in s from R of P, Q, R, S, T: from P to the end of T it takes 440 ms.
WAVES = np.array([(-0.125, 0.013), (-0.022, 0.006), (0.0, 0.009), (0.024, 0.008), (0.190, 0.028)])
INTERVALS = {
    "pr": ("p_onset", "qrs_onset"),
    "qrs": ("qrs_onset", "qrs_offset"),
    "qt": ("qrs_onset", "t_end"),
}


def eight_to_twelve(eight):
    one, two = eight[0], eight[1]
    limb = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    return np.stack([*limb, *eight[2:]])


def one_beat_at(rate_bpm, seed, *, noise_mv=0.005, wander_mv=0.0, hum_mv=0.0):
    """The beat of `seed` again and again, with nothing but the gap between T and P changed."""
    shape = np.random.default_rng(seed)
    amplitudes = shape.uniform(0.6, 1.4, (8, 5)) * (0.12, -0.12, 1.0, -0.5, 0.3)
    amplitudes *= shape.choice((-1.0, 1.0), (8, 1), p=(0.25, 0.75))
    generator = np.random.default_rng((seed, rate_bpm))
    beats_s = np.arange(-1.0, 11.0, 60 / rate_bpm) + generator.uniform(0, 60 / rate_bpm)
    phase = (TIME_S - beats_s[:, None, None] - WAVES[:, :1]) / WAVES[:, 1:]
    signal = eight_to_twelve(amplitudes @ np.exp(-0.5 * phase**2).sum(axis=0))
    signal += noise_mv * generator.normal(size=signal.shape)
    signal += wander_mv * np.sin(2 * np.pi * 0.28 * TIME_S + generator.uniform(0, 6, (12, 1)))
    signal += hum_mv * np.sin(2 * np.pi * 50 * TIME_S + generator.uniform(0, 6, (12, 1)))
    return signal.astype(np.float32)


def intervals(signal_mv):
    peaks = detect_r_peaks(signal_mv, sampling_rate_hz=500)
    marks = delineate(signal_mv, sampling_rate_hz=500, r_peak_samples=peaks)
    return {name: marks.interval_ms(*ends) for name, ends in INTERVALS.items()}


@pytest.mark.parametrize(
    "disturbance",
    [{}, {"noise_mv": 0.02}, {"wander_mv": 0.3}, {"hum_mv": 0.05}],
    ids=["clean", "20 µV of noise", "wander", "50 Hz"],
)
def test_the_same_beat_measures_the_same_at_any_rate(disturbance):
    for seed in range(4):
        measured = [intervals(one_beat_at(rate, seed, **disturbance)) for rate in RATES_BPM]
        for name in INTERVALS:
            values = [
                value for measurements in measured if (value := measurements[name]) is not None
            ]
            assert len(values) == len(measured), (seed, name, values)
            assert max(values) - min(values) <= 6, (seed, name, values)


def any_beat_at(rate_bpm, seed):
    """Beats as unlike as hearts make them: T inverted, biphasic or low, P low or notched.

    From P to the end of T it takes 380 to 440 ms, so that at 130 a minute P follows T at once.
    """
    shape = np.random.default_rng((77, seed))
    width_p, width_t, before = shape.uniform((0.010, 0.022, 0.10), (0.016, 0.030, 0.14))
    centre_t = shape.uniform(0.38, 0.44) - before - 2.5 * (width_p + width_t)
    waves = [(-before, width_p), *WAVES[1:4], (centre_t, width_t)]
    gains = shape.uniform(0.4, 1.6, (8, 5)) * (0.1, -0.12, 1.0, -0.5, 0.3)
    gains *= shape.choice((-1.0, 1.0), (8, 1), p=(0.3, 0.7))
    gains *= ((1, 1, 1, 1, 1), (1, 1, 1, 1, -0.7), (0.45, 1, 1, 1, 1))[seed % 3]
    if seed % 4 == 1:  # a second, opposite phase of T
        waves[4] = (centre_t - 0.03, 0.8 * width_t)
        waves.append((centre_t + 0.01, 0.8 * width_t))
        gains = np.hstack([gains, -0.6 * gains[:, 4:]])
    if seed % 4 == 2:
        waves.append((2.0 * width_p - before, width_p))
        gains = np.hstack([gains, 0.8 * gains[:, :1]])
    generator = np.random.default_rng((seed, rate_bpm))
    beats_s = np.arange(-1.0, 11.0, 60 / rate_bpm) + generator.uniform(0, 60 / rate_bpm)
    centre, width = np.array(waves).T[:, :, None]
    phase = (TIME_S - beats_s[:, None, None] - centre) / width
    signal = eight_to_twelve(gains @ np.exp(-0.5 * phase**2).sum(axis=0))
    return (signal + 0.003 * generator.normal(size=signal.shape)).astype(np.float32)


@pytest.mark.parametrize("seed", range(12))
def test_p_that_follows_t_at_once_is_told_from_it(seed):
    measured = [intervals(any_beat_at(rate, seed)) for rate in (45, 70, 100, 120, 130)]
    for name in INTERVALS:
        values = [value for measurements in measured if (value := measurements[name]) is not None]
        assert len(values) == len(measured), (name, values)
        assert max(values) - min(values) <= 6, (name, values)


@pytest.mark.parametrize("seed", range(4))
def test_p_on_t_is_measured_or_doubted(seed, as_record):
    own = intervals(any_beat_at(70, seed))
    analysis = analyse_ecg(prepare_ecg(as_record(any_beat_at(148, seed))))
    codes = {finding.code for finding in analysis.findings}
    for name in ("pr", "qt"):
        value, expected = analysis.figures.get(f"{name}_ms"), own[name]
        assert expected is not None
        assert value is None or abs(value - expected) <= 10 or f"{name}_unsure" in codes


def test_intervals_are_those_of_the_waves():
    # Gaussian waves last about 2.3 widths either side of their centre.
    measured = intervals(one_beat_at(70, 3))
    assert measured["pr"] == pytest.approx(1000 * (0.125 + 2.3 * 0.013 - 0.036), abs=12)
    assert measured["qrs"] == pytest.approx(1000 * (0.024 + 2.5 * 0.008 + 0.036), abs=12)
    assert measured["qt"] == pytest.approx(1000 * (0.190 + 2.3 * 0.028 + 0.036), abs=15)


def test_polarity_of_leads_does_not_matter():
    signal = one_beat_at(70, 5)
    turned = signal * np.where(np.arange(12) % 3 == 0, -1, 1)[:, None]
    upright, inverted = intervals(signal), intervals(turned.astype(np.float32))
    for name, value in upright.items():
        assert inverted[name] == pytest.approx(value, abs=4)


def test_no_pr_without_p_waves():
    signal = one_beat_at(70, 6)
    peaks = detect_r_peaks(signal, sampling_rate_hz=500)
    for peak in peaks:  # the P waves are cut out
        low, high = max(0, peak - 110), max(0, peak - 25)
        signal[:, low:high] = np.linspace(signal[:, low], signal[:, high], high - low, axis=1)
    marks = delineate(signal, sampling_rate_hz=500, r_peak_samples=peaks)
    assert marks.representative is not None
    assert marks.representative.p_onset is None
    assert "P wave" in marks.absent["p_onset"]
    assert marks.interval_ms("qrs_onset", "qrs_offset") is not None


def test_waves_at_random_before_qrs_are_no_p_wave():
    generator = np.random.default_rng(7)
    signal = one_beat_at(70, 7)
    fibrillation = generator.normal(size=(12, 5000))
    kernel = np.hanning(60)
    for lead in range(12):
        signal[lead] += 0.02 * np.convolve(fibrillation[lead], kernel, mode="same") / 3
    peaks = detect_r_peaks(signal, sampling_rate_hz=500)
    for peak in peaks:
        low, high = max(0, peak - 110), max(0, peak - 25)
        ramp = np.linspace(signal[:, low], signal[:, high], high - low, axis=1)
        signal[:, low:high] = ramp + 0.05 * generator.normal() * np.sin(
            np.linspace(0, generator.uniform(2, 7), high - low)
        )
    marks = delineate(signal, sampling_rate_hz=500, r_peak_samples=peaks)
    assert marks.interval_ms("p_onset", "qrs_onset") is None


def test_beats_of_another_shape_are_kept_apart():
    signal = one_beat_at(60, 8)
    peaks = detect_r_peaks(signal, sampling_rate_hz=500)
    alone = delineate(signal, sampling_rate_hz=500, r_peak_samples=peaks)
    wide = np.exp(-0.5 * ((np.arange(-150, 250) - 5) / 13) ** 2)
    side = np.linspace(-1, 1, 12)[:, None]
    for peak in peaks[[3, 6]]:
        signal[:, peak - 150 : peak + 250] = side * 2.0 * wide
    marks = delineate(
        signal,
        sampling_rate_hz=500,
        r_peak_samples=detect_r_peaks(signal, sampling_rate_hz=500),
    )
    assert marks.class_counts[1] == 2
    assert sum(marks.class_counts) == len(peaks)
    for ends in INTERVALS.values():
        assert marks.interval_ms(*ends) == pytest.approx(alone.interval_ms(*ends), abs=4)
    ectopic = [beat for beat in marks.beats if beat.beat_class > 0]
    assert len(ectopic) == 2
    for beat in ectopic:
        assert beat.p_onset is None
        assert beat.qrs_onset is not None
        assert beat.qrs_offset is not None
        assert beat.qrs_offset - beat.qrs_onset > 55


def test_every_beat_has_its_marks_in_order(phantom):
    signal, _ = phantom(9, noise_mv=0.01)
    peaks = detect_r_peaks(signal, sampling_rate_hz=500)
    marks = delineate(signal, sampling_rate_hz=500, r_peak_samples=peaks)
    assert [beat.r_peak for beat in marks.beats] == peaks.tolist()
    for beat in marks.beats:
        placed = [sample for name in MARK_NAMES if (sample := beat.at(name)) is not None]
        assert placed == sorted(placed)
        assert placed[0] >= 0 and placed[-1] < 5000
        assert beat.qrs_onset is not None
        assert beat.qrs_offset is not None
        assert beat.qrs_onset <= beat.r_peak <= beat.qrs_offset
    whole = [beat for beat in marks.beats if 300 < beat.r_peak < 4700]
    assert len(whole) >= 8
    assert all(beat.t_end is not None and beat.p_onset is not None for beat in whole)


def test_other_rates_measure_the_same(phantom):
    twice, _ = phantom(2, rate_hz=1000.0, noise_mv=0.005)
    once = twice[:, ::2]
    peaks = detect_r_peaks(once, sampling_rate_hz=500)
    slow = delineate(once, sampling_rate_hz=500, r_peak_samples=peaks)
    fast = delineate(twice, sampling_rate_hz=1000, r_peak_samples=2 * peaks)
    for ends in INTERVALS.values():
        assert fast.interval_ms(*ends) == pytest.approx(slow.interval_ms(*ends), abs=4)


def hostile():
    generator = np.random.default_rng(0)
    quiet = 0.002 * generator.normal(size=(12, 5000))
    everywhere = np.ones((12, 1))
    yield "flat", np.zeros((12, 5000))
    yield "noise", 0.3 * generator.normal(size=(12, 5000))
    walk = np.cumsum(generator.normal(size=(12, 5000)), axis=1)
    yield "brown noise", 0.01 * walk
    yield "saturated", np.clip(8 * one_beat_at(70, 1), -0.4, 0.4)
    lone = quiet.copy()
    lone[:, 2400:2600] += np.exp(-0.5 * ((np.arange(200) - 100) / 5) ** 2)
    yield "one beat", lone
    for rate_bpm in (190, 200, 225):
        yield f"{rate_bpm} a minute", one_beat_at(rate_bpm, 2)
    wave_hz = 5 + np.cumsum(0.02 * generator.normal(size=5000))
    envelope = 1 + 0.5 * np.sin(2 * np.pi * 0.7 * TIME_S)
    shifts = generator.uniform(0, 6, (12, 1))
    phase = 2 * np.pi * np.cumsum(wave_hz) / 500
    yield "like fibrillation of the ventricles", 0.6 * envelope * np.sin(phase + shifts)
    yield "square wave", everywhere * np.sign(np.sin(2 * np.pi * TIME_S))
    yield "not numbers", np.full((12, 5000), np.nan)
    gain, phase_8 = generator.normal(size=(8, 1)), generator.uniform(0, 6, (8, 1))
    # Limb leads that fit together, so that nothing but the shape tells that it is no ECG.
    twisting = np.sin(0.6 * np.pi * TIME_S) * np.sin(8 * np.pi * TIME_S + phase_8)
    yield "like torsade", eight_to_twelve(gain * twisting)
    yield "60 Hz alone", eight_to_twelve(0.5 * np.sin(120 * np.pi * TIME_S + phase_8))
    yield "saw teeth", eight_to_twelve(0.3 * gain * ((5 * TIME_S) % 1 - 0.5))
    spikes = 0.005 * generator.normal(size=(8, 5000))
    spikes[:, ::400] += 2.0
    yield "pacing spikes alone", eight_to_twelve(spikes)
    gap = one_beat_at(70, 1)
    gap[:, 1000:1600] = np.nan
    yield "a gap of 1.2 s", gap
    yield "5 s", one_beat_at(70, 1)[:, :2500]
    yield "9 leads off", one_beat_at(70, 1) * (np.arange(12) < 3)[:, None]
    clicks = 0.005 * generator.normal(size=(8, 5000))
    for start in range(0, 4900, 400):
        clicks[:, start : start + 60] += gain * np.exp(-np.arange(60) / 15)
    yield "beats without P and T", eight_to_twelve(clicks)


@pytest.mark.parametrize(("name", "signal"), [pytest.param(n, s, id=n) for n, s in hostile()])
def test_hostile_signals_never_raise_nor_yield_a_full_set(name, signal, as_record):
    signal = signal.astype(np.float32)
    prepared = prepare_ecg(as_record(signal))
    analysis = analyse_ecg(prepared)
    full = {"pr_ms", "qrs_ms", "qt_ms"} <= set(analysis.figures)
    peaks = detect_r_peaks(signal, sampling_rate_hz=500)
    marks = delineate(signal, sampling_rate_hz=500, r_peak_samples=peaks)
    assert len(marks.beats) <= len(peaks)
    if name == "saturated":  # beats indeed: what is stated must be possible
        assert not full or analysis.figures["qrs_ms"] < 200
    elif name.endswith("a minute"):
        assert not {"pr_ms", "qt_ms", "qtc_ms"} & set(analysis.figures)
        assert {"pr_absent", "qt_absent", "qrs_unsure"} <= {f.code for f in analysis.findings}
        assert not {"lbbb_morphology", "rbbb_morphology"} & {s.code for s in analysis.statements}
    elif name == "beats without P and T":
        assert not {"pr_ms", "qt_ms"} & set(analysis.figures)
    else:
        assert not full
        assert set(analysis.figures) <= {"heart_rate_bpm"}


@pytest.mark.parametrize("rate_bpm", [155, 170])
def test_what_runs_into_the_next_beat_is_doubted(rate_bpm, as_record):
    analysis = analyse_ecg(prepare_ecg(as_record(one_beat_at(rate_bpm, 0))))
    codes = {finding.code for finding in analysis.findings}
    assert "pr_ms" not in analysis.figures or {"qt_unsure", "qt_absent"} & codes


def test_too_few_or_unlike_peaks_have_no_marks_but_a_reason():
    signal = one_beat_at(70, 1)
    few = delineate(signal, sampling_rate_hz=500, r_peak_samples=np.array([400]))
    assert few.representative is None
    assert set(few.absent) == set(MARK_NAMES)
    generator = np.random.default_rng(3)
    noise = generator.normal(size=(12, 5000)).astype(np.float32)
    unlike = delineate(noise, sampling_rate_hz=500, r_peak_samples=np.arange(200, 4800, 400))
    assert unlike.representative is None
    assert "alike" in unlike.absent["qrs_onset"]
