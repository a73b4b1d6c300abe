"""The heart is found: against manual contours, after shifts, and never invented."""

from dataclasses import replace

import numpy as np
import pytest

from ptacl_core.preprocess.cine import prepare_cine
from ptacl_core.preprocess.heart_centre import find_heart_centre, find_segmentation_centre

SHIFTS = [(0, 0), (25, 0), (-25, 0), (0, 25), (0, -25), (25, 25), (-25, -25)]


def distance_mm(centre_px, true_px, spacing_mm) -> float:
    return float(np.hypot(*((np.array(centre_px) - true_px) * spacing_mm)))


@pytest.mark.parametrize("shift", SHIFTS)
def test_within_20_mm_of_the_contour_centroid(patient, shift: tuple[int, int]) -> None:
    record = patient.record
    spacing_mm = record.spacing_mm[1:]
    rolled = np.roll(record.frames, shift, axis=(2, 3))
    centre_px = find_heart_centre(rolled, spacing_mm=spacing_mm)
    assert centre_px is not None
    true_px = patient.contour_px.mean(axis=0) + shift
    assert distance_mm(centre_px, true_px, spacing_mm) < 20


@pytest.mark.parametrize("shift", SHIFTS)
def test_the_crop_holds_the_whole_left_ventricle(patient, shift: tuple[int, int]) -> None:
    rolled = np.roll(patient.record.frames, shift, axis=(2, 3))
    prepared = prepare_cine(replace(patient.record, frames=rolled))
    offset_px = patient.contour_px + shift - prepared.centre_px
    offset_mm = offset_px * np.array(patient.record.spacing_mm[1:])
    assert np.abs(offset_mm).max() < 84 * 1.8 / 2 - 2 * 1.8


@pytest.mark.parametrize("centre", [(60.0, 66.0), (45.0, 80.0), (75.0, 50.0)])
@pytest.mark.parametrize("spacing_mm", [(10.0, 1.8, 1.8), (8.0, 1.4, 2.0), (8.0, 2.5, 2.5)])
def test_drawn_heart_beside_a_still_disc(heart, centre, spacing_mm) -> None:
    record = heart(centre=centre, spacing_mm=spacing_mm)
    heart = find_heart_centre(record.frames, spacing_mm=spacing_mm[1:])
    assert distance_mm(heart, centre, spacing_mm[1:]) < 6


def test_scale_and_offset_of_intensities_change_nothing(heart) -> None:
    record = heart()
    plain = find_heart_centre(record.frames, spacing_mm=(1.8, 1.8))
    scaled = find_heart_centre(record.frames * 37 + 1000, spacing_mm=(1.8, 1.8))
    assert plain == scaled


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((2, 10, 30, 30)),
        np.full((2, 10, 30, 30), 7.0),
        np.random.default_rng(0).random((2, 1, 30, 30)),
        np.zeros((1, 5, 1, 1)),
        np.repeat(np.random.default_rng(0).random((1, 1, 40, 40)), 5, axis=1),
    ],
    ids=["zeros", "constant", "one frame", "one pixel", "still"],
)
def test_nothing_that_beats_is_no_heart(frames: np.ndarray) -> None:
    assert find_heart_centre(frames.astype(np.float32), spacing_mm=(1.8, 1.8)) is None


def test_segmentation_box() -> None:
    labels = np.zeros((3, 20, 30), dtype=np.uint8)
    assert find_segmentation_centre(labels) is None
    labels[0, 4:9, 10:13] = 1
    labels[2, 8:15, 12:25] = 3
    assert find_segmentation_centre(labels) == ((4 + 14) / 2, (10 + 24) / 2)
