"""Laws of resampling: what is copied, what is kept, what is zero."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptacl_core.preprocess.cine_resample import (
    crop_frames,
    crop_matrix,
    cycle_matrix,
    resample_cycle,
)


def test_unit_step_on_pixels_copies() -> None:
    matrix = crop_matrix(10, centre=5.0, step=1.0, size=4)
    np.testing.assert_array_equal(matrix, np.eye(10)[3:7])


@settings(max_examples=50, deadline=None)
@given(centre=st.floats(20, 60), step=st.floats(0.3, 3.0))
def test_constants_and_ramps_are_kept(centre: float, step: float) -> None:
    matrix = crop_matrix(400, centre=centre + 160, step=step, size=12)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    if step <= 1:
        points = centre + 160 + (np.arange(12) - 6) * step
        np.testing.assert_allclose(matrix @ np.arange(400), points)


def test_outside_is_zero() -> None:
    matrix = crop_matrix(5, centre=2.0, step=1.0, size=15)
    np.testing.assert_array_equal(matrix.sum(axis=1), [0] * 5 + [1] * 5 + [0] * 5)


def test_wide_steps_average() -> None:
    """A one-pixel checkerboard becomes grey, not aliased stripes."""
    board = np.tile([0.0, 1.0], 50)
    sampled = crop_matrix(100, centre=50.0, step=2.0, size=20) @ board
    np.testing.assert_allclose(sampled, 0.5)


@pytest.mark.parametrize("num_source", [2, 13, 20, 25, 30, 50, 80])
def test_cycle_keeps_end_diastole_and_sums(num_source: int) -> None:
    matrix = cycle_matrix(num_source, 50)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    assert matrix[0, 0] == 1
    assert np.count_nonzero(matrix[0]) == 1


def test_equal_numbers_are_the_identity() -> None:
    np.testing.assert_array_equal(cycle_matrix(50, 50), np.eye(50))
    frames = np.random.default_rng(0).random((50, 3, 3))
    assert resample_cycle(frames, 50) is frames


def test_the_last_frame_joins_the_first() -> None:
    """A smooth periodic curve stays one across the seam."""
    phase = np.arange(25) / 25
    frames = np.cos(2 * np.pi * phase)[:, None, None]
    resampled = resample_cycle(frames, 50)[:, 0, 0]
    np.testing.assert_allclose(resampled, np.cos(2 * np.pi * np.arange(50) / 50), atol=0.01)
    np.testing.assert_allclose(resampled[-1], (frames[-1, 0, 0] + frames[0, 0, 0]) / 2)


def test_rotating_the_cycle_rotates_the_result() -> None:
    frames = np.random.default_rng(0).random((25, 2, 2))
    rotated = resample_cycle(np.roll(frames, 5, axis=0), 50)
    np.testing.assert_allclose(rotated, np.roll(resample_cycle(frames, 50), 10, axis=0))


def test_crop_copies_the_window_when_the_pixel_size_stays() -> None:
    frames = np.random.default_rng(0).random((2, 40, 50)).astype(np.float32)
    cropped, padded = crop_frames(frames, centre_px=(20.0, 25.0), step_px=(1.0, 1.0), size_px=8)
    np.testing.assert_array_equal(cropped, frames[:, 16:24, 21:29])
    assert padded == 0
    cropped, padded = crop_frames(frames, centre_px=(2.0, 25.0), step_px=(1.0, 1.0), size_px=8)
    np.testing.assert_array_equal(cropped[:, :2], 0)
    np.testing.assert_array_equal(cropped[:, 2:], frames[:, :6, 21:29])
    assert padded == 0.25


def test_crop_in_millimetres_is_the_same_for_any_pixel_size() -> None:
    """A smooth bump looks alike whether it was stored in fine or coarse pixels."""

    def bump(spacing: tuple[float, float]) -> np.ndarray:
        row = (np.arange(120) - 60) * spacing[0]
        column = (np.arange(120) - 60) * spacing[1]
        return np.exp(-(row[:, None] ** 2 + column[None] ** 2) / 800)[None].astype(np.float32)

    views = [
        crop_frames(
            bump(spacing),
            centre_px=(60.0, 60.0),
            step_px=(1.8 / spacing[0], 1.8 / spacing[1]),
            size_px=30,
        )[0]
        for spacing in ((1.8, 1.8), (1.2, 1.2), (1.0, 1.5))
    ]
    assert np.abs(views[0] - views[1]).max() < 0.01
    assert np.abs(views[0] - views[2]).max() < 0.01
