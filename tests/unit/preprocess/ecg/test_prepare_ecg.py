import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from ptacl_core.config.preprocess import EcgSettings
from ptacl_core.preprocess import denoise_ecg, detect_r_peaks, normalise_ecg, prepare_ecg
from ptacl_core.records import Finding


def codes(prepared, severity=None):
    return {f.code for f in prepared.findings if severity in (None, f.severity)}


def test_a_good_recording_is_denoised_normalised_and_measured(phantom, as_record):
    signal, true_s = phantom(0, heart_rate_bpm=70)
    prepared = prepare_ecg(as_record(signal))
    assert prepared.is_accepted
    assert prepared.findings == ()
    assert prepared.signal.shape == prepared.signal_mv.shape == (12, 5000)
    assert prepared.signal.dtype == prepared.signal_mv.dtype == np.float32
    np.testing.assert_array_equal(prepared.signal_mv, denoise_ecg(signal))
    np.testing.assert_array_equal(prepared.signal, normalise_ecg(prepared.signal_mv))
    r_peaks = detect_r_peaks(prepared.signal_mv, sampling_rate_hz=500.0)
    np.testing.assert_array_equal(prepared.r_peak_samples, r_peaks)
    assert len(r_peaks) == len(true_s)
    rr_s = np.diff(r_peaks) / 500.0
    assert prepared.heart_rate_bpm == pytest.approx(60.0 / np.median(rr_s))


def test_the_real_recordings_are_accepted_and_named(real_records):
    for name, record in real_records.items():
        prepared = prepare_ecg(record)
        assert prepared.is_accepted, (name, prepared.findings)
        assert np.isfinite(prepared.signal).all()
        assert prepared.heart_rate_bpm is not None
    flat = prepare_ecg(real_records["JS20004.hea"])
    off = [f for f in flat.findings if f.code == "lead_off"]
    assert off and set(off[0].leads) == {"V2", "V4", "V6"}
    for lead in (7, 9, 11):
        assert (flat.signal[lead] == 0).all()
    assert "irregular_rhythm" in codes(prepare_ecg(real_records["JS20000.hea"]))


def test_heart_rate_agrees_with_the_dicom_device(real_records):
    record = real_records["pydicom_waveform_ecg.dcm"]
    prepared = prepare_ecg(record)
    assert prepared.heart_rate_bpm == pytest.approx(
        record.device_measurements["heart_rate_bpm"], abs=1.0
    )


@pytest.mark.parametrize("rate_hz", [100.0, 240.0, 257.0, 360.0, 400.0, 1000.0, 499.98])
def test_other_rates_give_the_same_heart(rate_hz, phantom, as_record):
    signal, true_s = phantom(1, rate_hz=rate_hz, noise_mv=0.0, wander_mv=0.0)
    prepared = prepare_ecg(as_record(signal, rate_hz))
    assert prepared.is_accepted
    assert ("resampled" in codes(prepared)) == (abs(rate_hz - 500) > 1)
    inner = true_s[(true_s > 0.1) & (true_s < 9.9)]
    found_s = prepared.r_peak_samples / 500.0
    assert all(np.abs(found_s - t).min() < 0.008 for t in inner)


def test_resampled_samples_are_those_of_the_fine_recording(phantom, as_record):
    fine, _ = phantom(1, rate_hz=1000.0, noise_mv=0.0)
    coarse = fine[:, ::2]
    first = prepare_ecg(as_record(fine, 1000.0)).signal_mv
    second = prepare_ecg(as_record(coarse, 500.0)).signal_mv
    inner = slice(200, 4800)
    np.testing.assert_allclose(first[:, inner], second[:, inner], atol=0.02)


def test_length_policy(phantom, as_record):
    long, _ = phantom(2, duration_s=38.4)
    prepared = prepare_ecg(as_record(long))
    assert codes(prepared) == {"trimmed"}
    assert "38.4 s" in prepared.findings[0].message
    np.testing.assert_array_equal(
        prepared.signal_mv, prepare_ecg(as_record(long[:, :5000])).signal_mv
    )
    short = prepare_ecg(as_record(long[:, :4600]))
    assert short.is_accepted
    assert codes(short) == {"padded"}
    assert (short.signal[:, 4600:] == 0).all()
    assert short.signal[:, :4600].std() > 0.5
    refused = prepare_ecg(as_record(long[:, :4499]))
    assert codes(refused, "reject") == {"too_short"}
    assert "9.00 s" in refused.findings[0].message or "8.998" in refused.findings[0].message
    assert prepare_ecg(as_record(long[:, :4500])).is_accepted


def test_group_normalisation_by_hand(phantom):
    signal = denoise_ecg(phantom(3)[0])
    expected = np.concatenate(
        [
            (signal[rows] - signal[rows].mean()) / signal[rows].std()
            for rows in (slice(0, 3), slice(3, 6), slice(6, 12))
        ]
    )
    np.testing.assert_allclose(normalise_ecg(signal, scope="group"), expected, atol=2e-5)
    by_lead = (signal - signal.mean(1, keepdims=True)) / signal.std(1, keepdims=True)
    np.testing.assert_allclose(normalise_ecg(signal, scope="per_lead"), by_lead, atol=2e-5)
    whole = (signal - signal.mean()) / signal.std()
    np.testing.assert_allclose(normalise_ecg(signal, scope="record"), whole, atol=2e-5)
    np.testing.assert_array_equal(normalise_ecg(signal, scope="none"), signal)


def test_group_normalisation_with_offsets_by_hand():
    generator = np.random.default_rng(0)
    signal = (generator.normal(size=(12, 800)) + 3 * generator.normal(size=(12, 1))).astype("f4")
    expected = np.concatenate(
        [
            (signal[rows] - signal[rows].mean()) / signal[rows].std()
            for rows in (slice(0, 3), slice(3, 6), slice(6, 12))
        ]
    )
    np.testing.assert_allclose(normalise_ecg(signal), expected, atol=2e-5)


def test_group_normalisation_keeps_voltage_ratios_inside_a_group(phantom):
    signal = denoise_ecg(phantom(3)[0])
    normalised = normalise_ecg(signal)
    before = signal.std(axis=1)
    after = normalised.std(axis=1)
    np.testing.assert_allclose(after[0] / after[1], before[0] / before[1], rtol=1e-4)
    np.testing.assert_allclose(after[6] / after[9], before[6] / before[9], rtol=1e-4)


def test_flat_leads_become_zeros_and_do_not_shrink_their_group(phantom):
    signal = denoise_ecg(phantom(3)[0])
    signal[7] = 0.0
    signal[0:3] = 0.25
    normalised = normalise_ecg(signal)
    assert (normalised[[0, 1, 2, 7]] == 0).all()
    rest = np.delete(signal[6:], 1, axis=0)
    np.testing.assert_allclose(
        np.delete(normalised[6:], 1, axis=0), (rest - rest.mean()) / rest.std(), atol=2e-5
    )


@pytest.mark.parametrize("scope", ["group", "per_lead", "record", "none"])
@pytest.mark.parametrize("baseline", ["wavelet", "als", "none"])
def test_every_setting_works(scope, baseline, phantom, as_record):
    signal, true_s = phantom(5)
    prepared = prepare_ecg(as_record(signal), EcgSettings(baseline=baseline, normalisation=scope))
    assert prepared.is_accepted, prepared.findings
    assert len(prepared.r_peak_samples) == len(true_s)
    if baseline == "none":
        np.testing.assert_array_equal(prepared.signal_mv, signal)


def test_settings_reach_the_denoising(phantom, as_record):
    signal, _ = phantom(5)
    settings = EcgSettings(wavelet="sym8", level=7, num_finest_removed=1, use_soft_threshold=True)
    expected = denoise_ecg(
        signal, wavelet="sym8", level=7, num_finest_removed=1, use_soft_threshold=True
    )
    np.testing.assert_array_equal(prepare_ecg(as_record(signal), settings).signal_mv, expected)


@pytest.mark.parametrize("rate_hz", [100.0, 250.0, 1000.0])
def test_another_target_rate(rate_hz, phantom, as_record):
    signal, true_s = phantom(5)
    prepared = prepare_ecg(
        as_record(signal), EcgSettings(sampling_rate_hz=rate_hz, level=6, num_finest_removed=0)
    )
    assert prepared.is_accepted, prepared.findings
    assert prepared.signal.shape == (12, round(10 * rate_hz))
    inner = true_s[(true_s > 0.1) & (true_s < 9.9)]
    assert all(np.abs(prepared.r_peak_samples / rate_hz - t).min() < 0.015 for t in inner)


def test_the_readers_findings_are_carried_and_not_doubled(phantom, as_record):
    signal, _ = phantom(6)
    signal[8] = 0.0
    record = as_record(signal)
    known = (
        Finding("derived_leads", "info", "III from I and II", ("III",)),
        Finding("lead_off", "warning", "constant", ("V3",)),
    )
    prepared = prepare_ecg(dataclasses.replace(record, findings=known))
    assert prepared.findings == known
    rejected = dataclasses.replace(record, findings=(Finding("x", "reject", "broken"),))
    assert not prepare_ecg(rejected).is_accepted
    assert prepare_ecg(rejected).heart_rate_bpm is None


def test_is_deterministic_and_leaves_its_input_alone(phantom, as_record):
    signal, _ = phantom(7)
    signal[2, 100:110] = np.nan
    before = signal.copy()
    first, second = prepare_ecg(as_record(signal)), prepare_ecg(as_record(signal))
    np.testing.assert_array_equal(signal, before)
    np.testing.assert_array_equal(first.signal, second.signal)
    np.testing.assert_array_equal(first.r_peak_samples, second.r_peak_samples)


def test_heart_rate_needs_two_intervals(phantom, as_record):
    signal, true_s = phantom(8, heart_rate_bpm=21, rr_variation=0.0)
    prepared = prepare_ecg(as_record(signal))
    assert "too_few_beats" in codes(prepared)
    assert prepared.heart_rate_bpm == pytest.approx(21, abs=0.5)
    assert len(true_s) < 5


def test_loads_neither_torch_nor_slow_libraries():
    program = (
        "import sys, numpy as np\n"
        "from ptacl_core.preprocess import prepare_ecg\n"
        "from ptacl_core.records import EcgRecord\n"
        "wave = np.sin(np.arange(5000) / 9).astype('f4') * np.ones((12, 1), 'f4')\n"
        "prepare_ecg(EcgRecord(wave, 500.0, 'test'))\n"
        "slow = {'torch', 'scipy.signal', 'neurokit2', 'sklearn', 'pandas', 'matplotlib'}\n"
        "print(sorted(slow & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
