"""Filters and calipers on recordings of any rate and length."""

import numpy as np
import pytest

from ptacl_app.drawing.calipers import Calipers
from ptacl_app.drawing.trace import EcgFilter, Trace, filter_trace

NAMES = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def make_trace(*waves, rate_hz=1000.0, duration_s=38.4):
    """Sum of (amplitude mV, frequency Hz), in every lead."""
    times_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    signal = sum(amplitude * np.sin(2 * np.pi * hz * times_s) for amplitude, hz in waves)
    return Trace(np.tile(np.asarray(signal, np.float32), (12, 1)), rate_hz, NAMES)


def amplitude_at(trace, hz):
    middle = trace.signal_mv[1, 4000:-4000].astype(float)
    times_s = np.arange(middle.size) / trace.sampling_rate_hz
    return 2 * abs(np.mean(middle * np.exp(-2j * np.pi * hz * times_s)))


@pytest.mark.parametrize(
    ("choice", "hz", "low", "high"),
    [
        (EcgFilter.DIAGNOSTIC, 10.0, 0.99, 1.01),
        (EcgFilter.DIAGNOSTIC, 1.0, 0.99, 1.01),
        (EcgFilter.DIAGNOSTIC, 50.0, 0.97, 1.01),
        (EcgFilter.DIAGNOSTIC, 150.0, 0.6, 0.8),
        (EcgFilter.DIAGNOSTIC, 400.0, 0.0, 0.05),
        (EcgFilter.NOTCH, 50.0, 0.0, 0.02),
        (EcgFilter.NOTCH, 10.0, 0.99, 1.01),
        (EcgFilter.NOTCH, 45.0, 0.95, 1.01),
    ],
)
def test_filters_pass_and_stop_what_their_names_say(choice, hz, low, high):
    extra = () if choice is not EcgFilter.NOTCH or hz == 50.0 else ((0.3, 50.0),)
    filtered = filter_trace(make_trace((1.0, hz), *extra), choice)
    assert low <= amplitude_at(filtered, hz) <= high


def test_the_notch_finds_sixty_hertz_too():
    filtered = filter_trace(make_trace((1.0, 7.0), (0.4, 60.0)), EcgFilter.NOTCH)
    assert amplitude_at(filtered, 60.0) < 0.01
    assert amplitude_at(filtered, 7.0) == pytest.approx(1.0, abs=0.01)


def test_filters_move_no_wave_and_keep_gaps():
    signal = np.zeros((12, 20000), np.float32)
    signal[:, 9000:9040] = np.hanning(40)
    signal[2, 15000:15500] = np.nan
    filtered = filter_trace(Trace(signal, 1000.0, NAMES), EcgFilter.DIAGNOSTIC)
    assert abs(int(filtered.signal_mv[1].argmax()) - int(signal[1].argmax())) <= 1
    assert filtered.signal_mv[1].max() == pytest.approx(1.0, abs=0.02)
    assert np.isnan(filtered.signal_mv[2, 15000:15500]).all()
    assert np.isfinite(filtered.signal_mv[2, :15000]).all()


@pytest.mark.parametrize("rate_hz", [100.0, 500.0, 1000.0])
def test_calipers_stand_on_samples(rate_hz):
    trace = make_trace((1.0, 1.0), rate_hz=rate_hz)
    calipers = Calipers((1.0, 2.0)).moved_to(30.12345, trace)
    sample = calipers.times_s[1] * rate_hz
    assert sample == pytest.approx(round(sample), abs=1e-6)
    assert abs(calipers.times_s[1] - 30.12345) <= 0.5 / rate_hz + 1e-9
    assert calipers.moved(1, trace).times_s[1] - calipers.times_s[1] == pytest.approx(1 / rate_hz)
    assert calipers.moved(-(10**9), trace).times_s[1] == 0.0
    assert calipers.moved(10**9, trace).times_s[1] <= trace.duration_s


def test_calipers_say_time_voltage_with_its_lead_rate_and_qtc():
    trace = make_trace((1.0, 0.25), duration_s=10.0)
    calipers = Calipers((0.0, 0.4))
    text = calipers.describe(trace, 9, rr_s=0.64)
    assert "Δt 400 ms" in text
    assert "V4 Δ +0.588 mV" in text  # sin(2π · 0.25 · 0.4)
    assert "150 bpm" in text
    assert "QTc 500 Bazett, 464 Fridericia" in text
    assert "QTc" not in Calipers((0.0, 0.9)).describe(trace, 9, rr_s=0.64)


def test_marching_repeats_the_interval_over_the_page():
    calipers = Calipers((2.0, 2.8)).marched()
    np.testing.assert_allclose(calipers.lines_s(0.0, 5.0), [0.4, 1.2, 2.0, 2.8, 3.6, 4.4])
    assert Calipers((2.0, 2.8)).lines_s(0.0, 5.0) == (2.0, 2.8)
    assert len(Calipers((2.0, 2.001)).marched().lines_s(0.0, 10.0)) == 2
    assert calipers.taking(2.75, within_s=0.1).active == 1
    assert calipers.taking(2.05, within_s=0.1).active == 0


def test_the_raw_recording_is_the_files_own():
    trace = make_trace((1.0, 3.0))
    assert filter_trace(trace, EcgFilter.RAW) is trace
    assert filter_trace(trace, EcgFilter.MODEL) is trace
