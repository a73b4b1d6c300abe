import numpy as np
import pytest

from ptacl_core.preprocess import measure_ecg, prepare_ecg
from ptacl_core.preprocess.measurements import MEASUREMENT_NAMES


@pytest.fixture(scope="module")
def measured(real_records):
    return {name: measure_ecg(prepare_ecg(record), record) for name, record in real_records.items()}


def test_agrees_with_the_devices(measured, real_records):
    limits = {"pr_ms": 15, "qrs_ms": 12, "qt_ms": 25, "axis_deg": 12}
    num_compared = 0
    for name in ("pydicom_waveform_ecg.dcm", "philips_1.04_demo.xml"):
        device = real_records[name].device_measurements
        for figure, limit in limits.items():
            assert measured[name][figure] == pytest.approx(device[figure], abs=limit), figure
            num_compared += 1
    assert num_compared == 8


def test_only_known_figures_in_possible_ranges(measured):
    for figures in measured.values():
        assert set(figures) <= set(MEASUREMENT_NAMES)
        assert 30 < figures["heart_rate_bpm"] < 200
        assert 90 <= figures.get("pr_ms", 150) <= 350
        assert 55 <= figures.get("qrs_ms", 90) <= 210
        assert 230 <= figures.get("qt_ms", 400) <= 620
        assert -180 <= figures.get("axis_deg", 0) <= 180


def test_no_pr_without_a_regular_rhythm(measured):
    assert "pr_ms" not in measured["JS20000.hea"]


def test_qtc_is_bazetts(measured, real_records):
    name = "pydicom_waveform_ecg.dcm"
    prepared = prepare_ecg(real_records[name])
    rr_s = int(np.median(np.diff(prepared.r_peak_samples))) / 500.0
    figures = measured[name]
    assert figures["qtc_ms"] == pytest.approx(figures["qt_ms"] / np.sqrt(rr_s))


def test_phantom_rate_and_axis(phantom, as_record):
    # I and aVF of the phantom: a vector in the lower left quadrant between 0 and 90 degrees.
    figures = measure_ecg(prepare_ecg(as_record(phantom(1, heart_rate_bpm=75)[0])))
    assert figures["heart_rate_bpm"] == pytest.approx(75, abs=2)
    if "axis_deg" in figures:
        assert 0 < figures["axis_deg"] < 90


def test_under_five_beats_only_the_rate(phantom, as_record):
    prepared = prepare_ecg(as_record(phantom(8, heart_rate_bpm=21, rr_variation=0.0)[0]))
    assert set(measure_ecg(prepared)) == {"heart_rate_bpm"}


def test_rejected_recordings_have_no_figures(phantom, as_record):
    signal, _ = phantom(2)
    for damaged in (signal * 1000, signal * 0, np.random.default_rng(0).normal(size=(12, 5000))):
        assert measure_ecg(prepare_ecg(as_record(damaged)), as_record(damaged)) == {}


def test_paced_rhythms_have_no_intervals(phantom, as_record):
    signal, true_s = phantom(3)
    for time_s in true_s[true_s > 0.3]:
        signal[:, int((time_s - 0.2) * 500)] += 2.0
    assert set(measure_ecg(prepare_ecg(as_record(signal)))) == {"heart_rate_bpm"}


def test_noise_may_remove_a_figure_but_not_change_it(phantom, as_record):
    clean = measure_ecg(prepare_ecg(as_record(phantom(4, noise_mv=0.0)[0])))
    noisy = measure_ecg(prepare_ecg(as_record(phantom(4, noise_mv=0.1)[0])))
    for name in ("qrs_ms", "qt_ms"):
        if name in clean and name in noisy:
            assert noisy[name] == pytest.approx(clean[name], abs=40)
