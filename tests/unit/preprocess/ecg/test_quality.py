"""What is wrong with a recording is named, rejects when it must, and never crashes."""

import numpy as np
import pytest

from ptacl_core.preprocess import measure_ecg, prepare_ecg
from ptacl_core.records import LEAD_NAMES

TIME_S = np.arange(5000) / 500.0


def found(prepared, severity=None):
    return {f.code for f in prepared.findings if severity in (None, f.severity)}


def leads_of(prepared, code):
    return {lead for f in prepared.findings if f.code == code for lead in f.leads}


def with_spikes(signal, times_s, *, width=1, height_mv=2.0):
    spiked = signal.copy()
    for time_s in times_s:
        first = int(time_s * 500)
        if first > 0:
            spiked[:, first : first + width] += height_mv * np.linspace(0.3, 1, 12)[:, None]
    return spiked


DAMAGE = {
    "flat": lambda x: (0 * x, "flat"),
    "constant": lambda x: (0 * x + 3, "flat"),
    "half zero": lambda x: (np.where(TIME_S < 5, x, 0), "flat"),
    "all missing": lambda x: (x * np.nan, "flat"),
    "long gap": lambda x: (np.where((TIME_S > 2) & (TIME_S < 2.4), np.nan, x), "missing_samples"),
    "infinite": lambda x: (np.where(TIME_S > 8, np.inf, x), "missing_samples"),
    "microvolts": lambda x: (1000 * x, "unit_error"),
    "volts": lambda x: (x / 1000, "unit_error"),
    "clipped": lambda x: (np.clip(x, -0.5, 0.5), "clipped"),
    "five leads off": lambda x: (x * (np.arange(12) > 4)[:, None], "too_many_leads_off"),
    "short": lambda x: (x[:, :4000], "too_short"),
    "one sample": lambda x: (x[:, :1], "too_short"),
    "empty": lambda x: (x[:, :0], "too_short"),
    "eleven leads": lambda x: (x[:11], "lead_count"),
    "one lead": lambda x: (x[0], "lead_count"),
    "drowned": lambda x: (x + 3 * np.random.default_rng(0).normal(size=x.shape), "noisy"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_unusable_recordings_are_rejected_by_name(name, phantom, as_record):
    damaged, code = DAMAGE[name](phantom(0)[0])
    prepared = prepare_ecg(as_record(damaged))
    assert code in found(prepared, "reject")
    assert not prepared.is_accepted
    assert prepared.heart_rate_bpm is None
    assert prepared.r_peak_samples.size == 0
    assert prepared.signal.shape == (12, 5000)
    assert np.isfinite(prepared.signal).all()
    assert measure_ecg(prepared) == {}


@pytest.mark.parametrize("rate_hz", [0.0, -500.0, np.nan, np.inf, 50.0, 1e6])
def test_impossible_rates_are_rejected_by_name(rate_hz, phantom, as_record):
    prepared = prepare_ecg(as_record(phantom(0)[0], rate_hz))
    assert found(prepared) == {"sampling_rate"}
    assert f"{rate_hz:g}" in prepared.findings[0].message


def test_short_gaps_are_bridged_and_told(phantom, as_record):
    signal, _ = phantom(1)
    damaged = signal.copy()
    damaged[4, 1000:1040] = np.nan
    prepared = prepare_ecg(as_record(damaged))
    assert prepared.is_accepted
    assert leads_of(prepared, "gap_filled") == {"aVL"}


@pytest.mark.parametrize("num_leads", [1, 4])
def test_a_gap_in_some_leads_does_not_reject_the_others(num_leads, phantom, as_record):
    signal, _ = phantom(1)
    damaged = signal.copy()
    damaged[:num_leads, 1000:1250] = np.nan
    prepared = prepare_ecg(as_record(damaged))
    assert prepared.is_accepted
    assert leads_of(prepared, "gap_filled") == set(LEAD_NAMES[:num_leads])
    whole = prepare_ecg(as_record(signal))
    np.testing.assert_allclose(prepared.r_peak_samples, whole.r_peak_samples, atol=5)
    np.testing.assert_allclose(prepared.signal_mv[6:], whole.signal_mv[6:], atol=1e-6)


def test_a_lead_that_misses_a_fifth_of_its_samples_counts_as_off(phantom, as_record):
    damaged = phantom(1)[0].copy()
    damaged[4, 2000:3100] = np.nan
    prepared = prepare_ecg(as_record(damaged))
    assert prepared.is_accepted
    assert leads_of(prepared, "missing_lead") == {"aVL"}
    assert not prepared.signal_mv[4].any()
    damaged[:5, 2000:3100] = np.nan
    assert not prepare_ecg(as_record(damaged)).is_accepted


@pytest.mark.parametrize(("first", "end"), [(0, 4750), (250, 5000), (200, 4800)])
def test_ends_without_samples_are_cut_and_beats_keep_their_place(first, end, phantom, as_record):
    signal, _ = phantom(1)
    damaged = np.full_like(signal, np.nan)
    damaged[:, first:end] = signal[:, first:end]
    prepared = prepare_ecg(as_record(damaged))
    assert prepared.is_accepted
    assert {"ends_cut", "padded"} <= found(prepared)
    assert not prepared.signal_mv[:, :first].any()
    assert not prepared.signal_mv[:, end:].any()
    whole = prepare_ecg(as_record(signal)).r_peak_samples
    inside = whole[(whole > first + 50) & (whole < end - 50)]
    distance = np.abs(prepared.r_peak_samples[:, None] - inside).min(axis=0)
    assert len(inside) >= 9
    assert distance.max() <= 2


def test_a_bridged_gap_lies_on_the_line_between_its_ends(phantom):
    from ptacl_core.preprocess.gaps import fill_gaps

    signal, _ = phantom(1)
    damaged = signal.copy()
    damaged[0, 100:104] = np.nan
    filled, findings = fill_gaps(damaged, sampling_rate_hz=500.0)
    line = np.linspace(signal[0, 99], signal[0, 104], 6)[1:-1]
    np.testing.assert_allclose(filled[0, 100:104], line, rtol=1e-5)
    assert [finding.code for finding in findings] == ["gap_filled"]
    untouched, nothing = fill_gaps(signal, sampling_rate_hz=500.0)
    assert untouched is signal
    assert nothing == ()


def test_missing_and_loose_leads_are_flagged(phantom, as_record):
    signal, _ = phantom(2)
    signal[3] = np.nan
    signal[10] = 0.1
    signal[6, 2000:3500] = 0.0
    prepared = prepare_ecg(as_record(signal))
    assert prepared.is_accepted
    assert leads_of(prepared, "missing_lead") == {"aVR"}
    assert leads_of(prepared, "lead_off") == {"aVR", "V5"}
    assert leads_of(prepared, "partly_flat") == {"V1"}
    assert (prepared.signal[[3, 10]] == 0).all()


def test_clipping_of_few_leads_warns(phantom, as_record):
    signal, _ = phantom(3)
    signal[9] = np.clip(signal[9], -10, 0.7)
    prepared = prepare_ecg(as_record(signal))
    assert prepared.is_accepted
    assert leads_of(prepared, "clipped") == {"V4"}


def test_a_coarse_converter_is_not_clipped(phantom, as_record):
    signal, _ = phantom(3, noise_mv=0.0)
    coarse = np.round(signal / 0.005) * 0.005
    assert "clipped" not in found(prepare_ecg(as_record(coarse)))


@pytest.mark.parametrize("mains_hz", [50, 60])
def test_mains_hum_is_named_with_its_frequency(mains_hz, phantom, as_record):
    signal, _ = phantom(4)
    prepared = prepare_ecg(as_record(signal + 0.15 * np.sin(2 * np.pi * mains_hz * TIME_S)))
    hum = [f for f in prepared.findings if f.code == "mains_hum"]
    assert len(hum) == 1
    assert f"{mains_hz} Hz" in hum[0].message
    assert "0.15 mV" in hum[0].message
    assert set(hum[0].leads) == set(LEAD_NAMES)


def test_noise_is_flagged_before_it_rejects(phantom, as_record):
    signal, _ = phantom(5, noise_mv=0.15)
    prepared = prepare_ecg(as_record(signal))
    assert prepared.is_accepted
    assert "noisy" in found(prepared, "warning")


def test_limb_lead_laws(phantom, as_record):
    signal, _ = phantom(6)
    assert "einthoven_mismatch" not in found(prepare_ecg(as_record(signal)))
    exchanged = signal.copy()
    exchanged[[4, 5]] = signal[[5, 4]]
    prepared = prepare_ecg(as_record(exchanged))
    message = next(f.message for f in prepared.findings if f.code == "einthoven_mismatch")
    assert "aVL and aVF are exchanged" in message
    scaled = signal.copy()
    scaled[1] *= 2
    assert leads_of(prepare_ecg(as_record(scaled)), "einthoven_mismatch") == {"I", "II", "III"}


def test_exchanged_arm_electrodes_are_suspected(phantom, as_record, real_records):
    def exchange_arms(signal):
        swapped = signal.copy()
        swapped[0] = -signal[0]
        swapped[[1, 2]] = signal[[2, 1]]
        swapped[[3, 4]] = signal[[4, 3]]
        return swapped

    for seed in range(10):
        signal, _ = phantom(seed)
        assert "lead_swap" not in found(prepare_ecg(as_record(signal)))
        assert "lead_swap" in found(prepare_ecg(as_record(exchange_arms(signal))))
    real = real_records["HR06000.hea"].signal_mv
    assert "lead_swap" in found(prepare_ecg(as_record(exchange_arms(real))))


def test_copied_leads_are_named(phantom, as_record):
    signal, _ = phantom(7)
    signal[8] = signal[7]
    prepared = prepare_ecg(as_record(signal))
    assert leads_of(prepared, "duplicate_leads") == {"V3"}


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize(("delay_s", "qrs_width"), [(0.20, 1.0), (0.06, 2.5)])
def test_a_paced_rhythm_counts_its_beats_not_its_spikes(
    width, delay_s, qrs_width, phantom, as_record
):
    signal, true_s = phantom(8, qrs_width=qrs_width)
    prepared = prepare_ecg(as_record(with_spikes(signal, true_s - delay_s, width=width)))
    assert {"paced", "spikes"} <= found(prepared, "warning")
    plain = prepare_ecg(as_record(signal))
    assert len(prepared.r_peak_samples) == len(plain.r_peak_samples)
    assert np.abs(prepared.r_peak_samples - plain.r_peak_samples).max() <= 5


def test_a_lone_spike_is_bridged(phantom, as_record):
    signal, _ = phantom(9)
    spiked = signal.copy()
    spiked[:, 2500] += 50
    prepared = prepare_ecg(as_record(spiked))
    assert prepared.is_accepted
    assert np.abs(prepared.signal_mv).max() < 5
    np.testing.assert_array_equal(
        prepared.r_peak_samples, prepare_ecg(as_record(signal)).r_peak_samples
    )


def test_an_electrode_shift_does_not_add_beats(phantom, as_record):
    signal, _ = phantom(10)
    expected = prepare_ecg(as_record(signal)).r_peak_samples
    shifted = prepare_ecg(as_record(signal + np.where(TIME_S > 5.03, 3.0, 0.0)))
    assert shifted.heart_rate_bpm == pytest.approx(60 / np.median(np.diff(expected) / 500), abs=2)


def test_a_rate_that_cannot_be_counted_is_refused_not_halved(phantom, as_record):
    for rate in (240, 250, 270):
        prepared = prepare_ecg(as_record(phantom(1, heart_rate_bpm=rate)[0]))
        assert found(prepared, "reject") & {"rate_too_high", "noisy"}
        assert prepared.heart_rate_bpm is None
    assert "rate_too_high" in found(prepare_ecg(as_record(phantom(1, heart_rate_bpm=250)[0])))
    for rate in (180, 200, 220):
        prepared = prepare_ecg(as_record(phantom(1, heart_rate_bpm=rate)[0]))
        assert prepared.heart_rate_bpm == pytest.approx(rate, rel=0.03)


def test_irregular_and_implausible_rates_are_told(phantom, as_record):
    assert "irregular_rhythm" in found(
        prepare_ecg(as_record(phantom(11, rr_variation=0.25)[0])), "info"
    )
    assert "implausible_rate" in found(
        prepare_ecg(as_record(phantom(11, heart_rate_bpm=215)[0])), "warning"
    )


def noises():
    """Signals without a heart: none may give a rate (reliability.md R18)."""
    generator = np.random.default_rng(20)
    white = generator.normal(size=(12, 5000))
    rank_one = generator.normal(size=(12, 1)) @ generator.normal(size=(1, 5000))
    spectrum = np.fft.rfft(white)
    box = np.ones(30) / 30
    smooth = np.stack([np.convolve(lead, box, "same") for lead in white])
    everywhere = np.ones((12, 1))
    yield from (
        ("white", white),
        ("white, small", 0.05 * white),
        ("white, one source", rank_one),
        ("brown", 0.02 * np.cumsum(white, axis=1)),
        ("brown, one source", 0.02 * np.cumsum(rank_one, axis=1)),
        ("pink", np.fft.irfft(spectrum / np.sqrt(np.arange(2501) + 1), axis=1)),
        ("smooth", smooth),
        ("smooth, one source", everywhere * smooth[:1]),
        (
            "limb laws kept",
            np.stack(
                [
                    *white[:2],
                    white[1] - white[0],
                    -(white[0] + white[1]) / 2,
                    white[0] - white[1] / 2,
                    white[1] - white[0] / 2,
                    *white[6:],
                ]
            ),
        ),
        ("uniform", generator.uniform(-1, 1, size=(12, 5000))),
        ("heavy tails", 0.1 * generator.standard_t(2, size=(12, 5000))),
        ("salt and pepper", np.where(generator.random((12, 5000)) < 0.01, 2.0, 0.0)),
        ("flat", np.zeros((12, 5000))),
        ("flat, offset", np.full((12, 5000), 2.0)),
        ("flat, one bit of noise", 0.005 * generator.integers(0, 2, size=(12, 5000))),
        ("line", everywhere * np.linspace(-2, 2, 5000)),
    )
    for frequency_hz in (0.5, 1.0, 1.2, 2.0, 3.0, 5.0, 8.0, 12.0, 50.0):
        wave = np.sin(2 * np.pi * frequency_hz * TIME_S)
        yield f"sine of {frequency_hz} Hz", everywhere * wave
    for name, every in (("one a second", 500), ("two a second", 250), ("one", 5000)):
        spikes = 0.01 * generator.normal(size=(12, 5000))
        spikes[:, 100::every] += 2
        yield f"spikes, {name}", spikes
        clean = np.zeros((12, 5000))
        clean[:, 100::every] = 2
        yield f"spikes, {name}, no noise", clean
    yield "square wave", everywhere * np.sign(np.sin(2 * np.pi * TIME_S))
    yield "sawtooth", everywhere * (2 * TIME_S % 1)


@pytest.mark.parametrize(("name", "signal"), [pytest.param(n, s, id=n) for n, s in noises()])
def test_noise_flat_lines_and_spikes_give_no_rate_and_no_interval(name, signal, as_record):
    prepared = prepare_ecg(as_record(signal))
    assert prepared.heart_rate_bpm is None
    assert prepared.r_peak_samples.size == 0
    assert not prepared.is_accepted
    assert measure_ecg(prepared) == {}


def test_noise_draws_give_no_rate(as_record):
    for seed in range(60):
        generator = np.random.default_rng(seed)
        colour = generator.uniform(0, 1.2)
        source = generator.normal(size=(int(generator.integers(1, 9)), 5000))
        spectrum = np.fft.rfft(source) / (np.arange(2501) + 1.0) ** colour
        signal = generator.normal(size=(12, len(source))) @ np.fft.irfft(spectrum, axis=1)
        prepared = prepare_ecg(as_record(signal / signal.std()))
        assert prepared.heart_rate_bpm is None, (seed, colour)


def test_wrong_units_give_no_rate(phantom, as_record):
    for factor in (1e3, 1e6, 1e-3, 200.0):
        prepared = prepare_ecg(as_record(phantom(12)[0] * factor))
        assert "unit_error" in found(prepared, "reject")
        assert prepared.heart_rate_bpm is None


def test_good_phantoms_are_not_refused(phantom, as_record):
    generator = np.random.default_rng(21)
    refused = []
    for seed in range(250):
        rate_hz = float(generator.choice([100, 128, 200, 250, 257, 360, 400, 500, 1000]))
        signal, _ = phantom(
            seed,
            rate_hz=rate_hz,
            heart_rate_bpm=generator.uniform(30, 180),
            noise_mv=generator.uniform(0, 0.1),
            rr_variation=generator.uniform(0, 0.08),
            wander_mv=generator.uniform(0, 0.5),
        )
        prepared = prepare_ecg(as_record(signal, rate_hz))
        if not prepared.is_accepted:
            refused.append((seed, found(prepared, "reject")))
    assert len(refused) <= 2, refused


def test_bare_noise_free_shapes_are_not_refused(as_record):
    generator = np.random.default_rng(23)
    refused = []
    for index in range(90):
        rate = generator.uniform(30, 180)
        beats = np.arange(generator.uniform(0, 60 / rate), 10, 60 / rate)
        from_beat = TIME_S - beats[:, None]
        if index % 3 == 0:
            shape = np.exp(-0.5 * (from_beat / 0.012) ** 2)
        elif index % 3 == 1:
            shape = np.maximum(0, 1 - np.abs(from_beat) / 0.04)
        else:  # a T wave nearly as high as R
            after = from_beat - 0.28 * np.sqrt(60 / rate)
            shape = np.exp(-0.5 * (from_beat / 0.01) ** 2)
            shape = shape + 0.7 * np.exp(-0.5 * (after / (0.05 * np.sqrt(60 / rate))) ** 2)
        signal = np.outer(generator.uniform(0.3, 1.5, size=12), shape.sum(axis=0))
        prepared = prepare_ecg(as_record(signal))
        if prepared.heart_rate_bpm is None:
            refused.append((index % 3, rate, found(prepared, "reject")))
        else:
            assert prepared.heart_rate_bpm == pytest.approx(rate, rel=0.04)
    assert len(refused) <= 1, refused


@pytest.mark.slow
def test_good_phantoms_are_not_refused_in_a_thousand(phantom, as_record):
    generator = np.random.default_rng(22)
    refused = 0
    for seed in range(1000):
        rate_hz = float(generator.choice([100, 250, 500, 1000]))
        signal, _ = phantom(
            seed,
            rate_hz=rate_hz,
            heart_rate_bpm=generator.uniform(30, 180),
            noise_mv=generator.uniform(0, 0.1),
        )
        refused += not prepare_ecg(as_record(signal, rate_hz)).is_accepted
    assert refused <= 10


def test_a_shown_rate_is_right_however_noisy(phantom, as_record):
    num_shown = 0
    for seed in range(120):
        generator = np.random.default_rng(seed)
        signal, true_s = phantom(
            seed,
            heart_rate_bpm=generator.uniform(40, 180),
            noise_mv=generator.uniform(0.1, 1.2),
        )
        prepared = prepare_ecg(as_record(signal))
        if prepared.heart_rate_bpm is None:
            continue
        num_shown += 1
        assert prepared.heart_rate_bpm == pytest.approx(60 / np.median(np.diff(true_s)), rel=0.06)
    assert num_shown > 20


def test_random_damage_never_raises(phantom, as_record):
    for seed in range(150):
        generator = np.random.default_rng(seed)
        signal = phantom(seed % 7)[0].copy()
        for _ in range(int(generator.integers(1, 5))):
            rows = generator.random(12) < generator.uniform(0, 1)
            first, last = sorted(generator.integers(0, 5001, size=2))
            value = generator.choice([np.nan, np.inf, -np.inf, 0.0, 1e30, -32768.0, 1e-30, 5.0])
            signal[rows, first:last] = value
        prepared = prepare_ecg(as_record(signal))
        assert np.isfinite(prepared.signal).all()
        assert np.isfinite(prepared.signal_mv).all()
        assert prepared.signal.shape == (12, 5000)
        if not prepared.is_accepted:
            assert prepared.heart_rate_bpm is None


def test_messages_are_sentences_with_figures(phantom, as_record):
    for change in DAMAGE.values():
        prepared = prepare_ecg(as_record(change(phantom(0)[0])[0]))
        for finding in prepared.findings:
            assert finding.code == finding.code.lower()
            assert len(finding.message) > 15
            assert set(finding.leads) <= set(LEAD_NAMES)
