"""Dots of the ECG: nothing is lost, nothing is thickened, every row is the voltage it says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptacl_app.drawing import raster


def envelope(signal, num_dots):
    return raster.compute_envelope(
        np.asarray(signal, np.float32),
        num_dots=num_dots,
        samples_per_dot=len(signal) / num_dots,
    )


@given(width=st.integers(10, 400), place=st.integers(0, 4999))
@settings(max_examples=60, deadline=None)
def test_one_sample_spike_survives_at_any_width(width, place):
    signal = np.zeros(5000, np.float32)
    signal[place] = 1.5
    low, high, _ = envelope(signal, width)
    assert np.nanmax(high) == pytest.approx(1.5)
    assert np.nanmin(low) == 0.0
    shown = int(np.flatnonzero(high > 1)[0])
    assert abs((shown + 0.5) * 5000 / width - place) <= 5000 / width


def test_neighbouring_columns_touch():
    signal = np.linspace(-2, 2, 4000, dtype=np.float32)
    low, high, _ = envelope(signal, 100)
    assert (low[1:] <= high[:-1] + 1e-6).all()


def test_missing_tail_is_missing_not_zero():
    low, high, mean = raster.compute_envelope(
        np.ones(500, np.float32), num_dots=40, samples_per_dot=25.0
    )
    assert np.isfinite(low[:20]).all()
    assert np.isnan([low[20:], high[20:], mean[20:]]).all()
    top, bottom = raster.compute_dot_rows(low, high, mean, dots_per_mv=8, baseline_dot=20)
    assert (top[20:] > bottom[20:]).all()
    assert not raster.fill_dots(top, bottom, num_dot_rows=40)[:, 20:].any()


def test_level_line_is_one_dot_thick():
    rng = np.random.default_rng(0)
    signal = rng.normal(0, 0.02, 5000).astype(np.float32)
    low, high, mean = envelope(signal, 200)
    top, bottom = raster.compute_dot_rows(low, high, mean, dots_per_mv=8, baseline_dot=20)
    assert (top == bottom).all()
    assert np.unique(top).size == 1


@pytest.mark.parametrize("dots_per_mv", [4, 8, 16, 32])
def test_dot_row_is_the_voltage_it_says(dots_per_mv):
    millivolts = np.arange(-2, 2.01, 1 / dots_per_mv)
    top, bottom = raster.compute_dot_rows(
        millivolts, millivolts, millivolts, dots_per_mv=dots_per_mv, baseline_dot=500
    )
    np.testing.assert_array_equal(top, bottom)
    np.testing.assert_allclose((500 - top) / dots_per_mv, millivolts)


@given(st.integers(1, 6), st.integers(1, 20), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_packing_dots_loses_nothing(rows, columns, seed):
    dots = np.random.default_rng(seed).random((rows * 4, columns * 2)) < 0.4
    codes = raster.pack_braille(dots)
    np.testing.assert_array_equal(raster.unpack_braille(codes), dots)
    text = raster.decode_characters(codes[0])
    assert len(text) == columns
    assert all(character == " " or 0x2800 < ord(character) <= 0x28FF for character in text)


def test_braille_bits_are_where_unicode_says():
    dots = np.zeros((4, 2), bool)
    dots[0, 0] = dots[3, 1] = True
    assert raster.decode_characters(raster.pack_braille(dots)[0]) == "\u2881"
