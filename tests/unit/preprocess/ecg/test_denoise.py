import warnings

import numpy as np
import pytest
import pywt

from ptacl_core.errors import RecordError
from ptacl_core.preprocess import denoise_ecg
from ptacl_core.preprocess.denoise_operator import build_denoise_operator


def oracle(signal, wavelet="db6", level=8, num_finest=2):
    """The recipe in PyWavelets' own words, lead by lead, in float64."""
    rows = []
    for lead in np.asarray(signal, np.float64):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of boundary effects in short records
            bands = pywt.wavedec(lead, wavelet, mode="symmetric", level=level)
        bands[0] = np.zeros_like(bands[0])
        for finest in range(1, num_finest + 1):
            bands[-finest] = np.zeros_like(bands[-finest])
        rows.append(pywt.waverec(bands, wavelet, mode="symmetric")[: lead.size])
    return np.array(rows)


@pytest.mark.parametrize("method", ["auto", "pywt", "operator"])
def test_equals_pywavelets_to_2e_6(method, phantom):
    for seed in range(5):
        signal, _ = phantom(seed, noise_mv=0.1)
        difference = np.abs(denoise_ecg(signal, method=method) - oracle(signal)).max()
        assert difference <= 2e-6


@pytest.mark.parametrize("num_samples", [577, 600, 2500, 3001, 4501, 4999, 5000, 5120])
def test_operator_equals_reference_at_any_length(num_samples):
    signal = np.random.default_rng(num_samples).normal(size=(3, num_samples)).astype(np.float32)
    got = denoise_ecg(signal, method="operator")
    assert np.abs(got - oracle(signal)).max() < 3e-6


@pytest.mark.parametrize(
    ("wavelet", "level", "num_finest"),
    [("db6", 8, 0), ("db6", 8, 1), ("db6", 8, 3), ("db4", 8, 2), ("sym8", 8, 2), ("bior2.6", 7, 2)],
)
def test_operator_equals_reference_for_other_settings(wavelet, level, num_finest):
    signal = np.random.default_rng(1).normal(size=(2, 5000)).astype(np.float32)
    got = denoise_ecg(
        signal, wavelet=wavelet, level=level, num_finest_removed=num_finest, method="operator"
    )
    assert np.abs(got - oracle(signal, wavelet, level, num_finest)).max() < 5e-6


def test_rank_and_band_of_the_operator_are_as_documented():
    operator = build_denoise_operator(5000, "db6", 8, 2)
    assert operator.project.shape == (1258, 30)
    assert operator.rebuild.shape == (30, 1258)
    assert operator.analysis_block.shape == (34 + 15 * 4, 16)


def test_is_linear_and_blind_to_offsets(phantom):
    first, _ = phantom(1)
    second, _ = phantom(2)
    together = denoise_ecg(2 * first - second)
    apart = 2 * denoise_ecg(first) - denoise_ecg(second)
    np.testing.assert_allclose(together, apart, atol=5e-6)
    np.testing.assert_allclose(denoise_ecg(first + 300), denoise_ecg(first), atol=1e-4)


def test_a_constant_becomes_zero():
    assert np.abs(denoise_ecg(np.full((12, 5000), 4.0, np.float32))).max() < 1e-5


def test_removes_wander_and_fine_noise_and_keeps_the_band_between():
    time_s = np.arange(5000) / 500.0
    inside = slice(1000, 4000)

    def gain(frequency_hz):
        wave = np.sin(2 * np.pi * frequency_hz * time_s).astype(np.float32)[None]
        return np.std(denoise_ecg(wave)[0, inside]) / np.std(wave[0, inside])

    assert gain(0.2) < 0.05
    assert gain(150.0) < 0.05
    assert gain(5.0) == pytest.approx(1.0, abs=0.05)
    assert gain(20.0) == pytest.approx(1.0, abs=0.05)


def test_batches_equal_records(phantom):
    batch = np.stack([phantom(seed)[0] for seed in range(5)])
    denoised = denoise_ecg(batch)
    assert denoised.shape == batch.shape
    assert denoised.dtype == np.float32
    for row, record in zip(denoised, batch, strict=True):
        np.testing.assert_allclose(row, denoise_ecg(record), atol=2e-6)


def test_soft_threshold_is_the_universal_one(phantom):
    signal, _ = phantom(3, noise_mv=0.1, wander_mv=0.0)
    rows = []
    for lead in signal.astype(np.float64):
        bands = pywt.wavedec(lead, "db6", mode="symmetric", level=8)
        sigma = np.median(np.abs(bands[-1])) / 0.6745
        threshold = sigma * np.sqrt(2 * np.log(5000))
        kept = [pywt.threshold(band, threshold, "soft") for band in bands]
        kept[0], kept[-1], kept[-2] = (np.zeros_like(kept[i]) for i in (0, -1, -2))
        rows.append(pywt.waverec(kept, "db6", mode="symmetric"))
    np.testing.assert_allclose(denoise_ecg(signal, use_soft_threshold=True), rows, atol=1e-5)


def test_soft_threshold_without_noise_changes_nothing_at_threshold_zero():
    signal = np.zeros((1, 5000), np.float32)
    signal[0, ::700] = 0.0
    np.testing.assert_array_equal(denoise_ecg(signal, use_soft_threshold=True), 0.0)


@pytest.mark.parametrize("num_samples", [1, 2, 11, 40, 300])
def test_short_signals_keep_their_shape_without_a_warning(num_samples):
    signal = np.ones((2, num_samples), np.float32)
    assert denoise_ecg(signal).shape == signal.shape


def test_nan_is_refused_with_the_remedy():
    signal = np.zeros((12, 5000), np.float32)
    signal[3, 7] = np.nan
    with pytest.raises(RecordError, match="fill_gaps"):
        denoise_ecg(signal)


def test_impossible_settings_are_named():
    with pytest.raises(ValueError, match=r"0\.\.7, got 8"):
        denoise_ecg(np.zeros((1, 5000), np.float32), num_finest_removed=8)
    with pytest.raises(ValueError, match="got 500"):
        denoise_ecg(np.zeros((1, 500), np.float32), method="operator")
