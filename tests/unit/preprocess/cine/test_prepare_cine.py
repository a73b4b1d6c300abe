"""prepare_cine: shapes, range, time, choices, and what is rejected with which reason."""

from dataclasses import replace

import numpy as np
import pytest

from ptacl_core.config.preprocess import CineSettings
from ptacl_core.errors import ConfigError
from ptacl_core.preprocess.cine import prepare_cine
from ptacl_core.records import CineRecord, Finding


def codes(prepared) -> dict[str, str]:
    return {finding.code: finding.severity for finding in prepared.findings}


def test_shape_range_and_type(patient) -> None:
    prepared = prepare_cine(patient.record)
    assert prepared.frames.shape == (50, 84, 84)
    assert prepared.frames.dtype == np.float32
    assert (prepared.frames.min(), prepared.frames.max()) == (0, 1)
    assert prepared.is_accepted
    assert prepared.slice_index == len(patient.record.frames) // 2
    times_ms = patient.record.frame_times_ms
    cycle_ms = np.median(np.diff(times_ms)) * len(times_ms)
    assert prepared.frame_interval_ms == pytest.approx(cycle_ms / 50)
    assert codes(prepared)["frames_resampled"] == ("warning" if len(times_ms) < 12 else "info")


@pytest.mark.parametrize("num_slices", range(1, 14))
def test_middle_slice(heart, num_slices: int) -> None:
    record = heart(num_slices=num_slices, num_frames=6, size=(90, 90), centre=(45.0, 45.0))
    assert prepare_cine(record).slice_index == num_slices // 2


def test_fifty_frames_are_kept_exactly(heart) -> None:
    """UK Biobank's own frames and pixels: copied, then scaled."""
    record = heart(num_frames=50, interval_ms=19.0, spacing_mm=(10.0, 1.826923, 1.826923))
    rng = np.random.default_rng(0)
    frames = record.frames + rng.random(record.frames.shape).astype(np.float32)
    settings = CineSettings(upper_percentile=100, centre_px=(60.0, 60.0))
    prepared = prepare_cine(replace(record, frames=frames), settings)
    source = frames[1]
    window = (source - source.min())[:, 18:102, 18:102].astype(np.float64)
    window -= window.min()
    np.testing.assert_allclose(prepared.frames, window / window.max(), atol=1e-6)
    assert "frames_resampled" not in codes(prepared)
    assert prepared.frame_interval_ms == pytest.approx(19.0)


def test_frame_zero_stays_first(heart) -> None:
    record = heart(num_frames=20)
    settings = CineSettings(centre_px=(60.0, 66.0))
    prepared = prepare_cine(record, settings)
    pool = (prepared.frames > 0.5).sum(axis=(1, 2))
    assert pool[0] == pool.max()
    assert 15 <= pool.argmin() <= 35


def test_min_max_spans_the_whole_sequence_not_each_frame(heart) -> None:
    record = heart()
    brightness = np.linspace(1, 2, 20, dtype=np.float32)[None, :, None, None]
    prepared = prepare_cine(replace(record, frames=record.frames * brightness))
    brightest = prepared.frames.max(axis=(1, 2))
    assert brightest.max() == 1
    assert brightest[0] < 0.6


def test_bright_fat_is_clipped(heart) -> None:
    record = heart()
    frames = record.frames.copy()
    frames[:, :, 60, 66] = 30_000
    prepared = prepare_cine(replace(record, frames=frames))
    assert np.median(prepared.frames[0][prepared.frames[0] > 0.5]) == 1.0


def test_intensity_scale_and_offset_change_nothing(heart) -> None:
    record = heart()
    plain = prepare_cine(record)
    shifted = prepare_cine(replace(record, frames=record.frames * 4 - 1024))
    np.testing.assert_allclose(plain.frames, shifted.frames, atol=1e-5)


def test_pixel_size_of_the_source_does_not_matter(heart) -> None:
    fine = heart(size=(240, 240), centre=(120.0, 120.0), spacing_mm=(10.0, 1.0, 1.0))
    coarse = heart(size=(160, 120), centre=(80.0, 60.0), spacing_mm=(10.0, 1.5, 2.0))
    views = [
        prepare_cine(record, CineSettings(centre_px=centre)).frames
        for record, centre in ((fine, (120.0, 120.0)), (coarse, (80.0, 60.0)))
    ]
    assert np.abs(views[0] - views[1]).mean() < 0.02


def test_own_pixel_size_is_kept_on_request(heart) -> None:
    record = heart(num_frames=50, spacing_mm=(10.0, 1.3, 1.3))
    settings = CineSettings(pixel_mm=None, centre_px=(60.0, 60.0), upper_percentile=100)
    prepared = prepare_cine(record, settings)
    window = record.frames[1][:, 18:102, 18:102] - 20
    np.testing.assert_allclose(prepared.frames, window / 280, atol=1e-6)


def test_other_sizes(heart) -> None:
    settings = CineSettings(num_frames=26, size_px=96)
    assert prepare_cine(heart(), settings).frames.shape == (26, 96, 96)


def test_manual_centre(heart) -> None:
    prepared = prepare_cine(heart(), CineSettings(centre_px=(31.5, 40.25)))
    assert prepared.centre_px == (31.5, 40.25)
    with pytest.raises(ConfigError, match=r"128 × 120.*\(500, 3\)"):
        prepare_cine(heart(), CineSettings(centre_px=(500.0, 3.0)))


def test_segmentation_gives_centre_and_slice(heart) -> None:
    record = heart(num_slices=9)
    labels = np.zeros(record.frames.shape, dtype=np.uint8)
    labels[1:6, :, 50:71, 60:81] = 2
    labels[1:6, :, 55:66, 65:76] = 1
    labels[0, :, 10:20, 10:20] = 3
    segmented = replace(record, segmentation=labels)
    assert prepare_cine(segmented).slice_index == 4
    prepared = prepare_cine(segmented, CineSettings(slice_choice="segmentation"))
    assert prepared.slice_index == 3
    assert prepared.centre_px == (60.0, 70.0)


def test_segmentation_asked_for_and_absent(heart) -> None:
    prepared = prepare_cine(heart(), CineSettings(slice_choice="segmentation"))
    assert prepared.slice_index == 1
    assert codes(prepared)["no_segmentation"] == "warning"
    empty = replace(heart(), segmentation=np.zeros((3, 20, 128, 120), dtype=np.uint8))
    prepared = prepare_cine(empty, CineSettings(slice_choice="segmentation"))
    assert "no_segmentation" in codes(prepared)
    assert "heart_not_found" not in codes(prepared)


def test_findings_of_the_reader_come_along(heart) -> None:
    remark = Finding("missing_frames", "warning", "two of twenty")
    refusal = Finding("damaged", "reject", "no use")
    prepared = prepare_cine(replace(heart(), findings=(remark,)))
    assert prepared.findings[0] is remark
    assert prepared.is_accepted
    prepared = prepare_cine(replace(heart(), findings=(refusal,)))
    assert not prepared.is_accepted
    assert not prepared.frames.any()


@pytest.mark.parametrize("value", [0.0, 7.0, -3.0])
def test_constant_image_is_rejected(value: float) -> None:
    frames = np.full((3, 20, 100, 100), value, dtype=np.float32)
    prepared = prepare_cine(CineRecord(frames, (10.0, 1.8, 1.8), np.arange(20) * 40.0, "x"))
    assert codes(prepared)["constant_image"] == "reject"
    assert not prepared.is_accepted
    assert prepared.frames.shape == (50, 84, 84)
    assert not prepared.frames.any()


def test_still_images_are_named(heart) -> None:
    record = heart()
    frames = np.repeat(record.frames[:, :1], 20, axis=1)
    prepared = prepare_cine(replace(record, frames=frames))
    assert {"heart_not_found", "no_movement"} <= codes(prepared).keys()
    assert prepared.centre_px == (63.5, 59.5)
    one = replace(record, frames=record.frames[:, :1], frame_times_ms=np.zeros(1))
    prepared = prepare_cine(one)
    assert codes(prepared)["still_image"] == "reject"
    assert prepared.frames.shape == (50, 84, 84)


def test_pixels_that_are_no_numbers(heart) -> None:
    record = heart()
    near, far = record.frames.copy(), record.frames.copy()
    near[1, 3, 60, 66] = np.nan
    far[1, 3, 0, 0] = np.inf
    far[0, 3, 60, 66] = np.nan  # another slice
    assert codes(prepare_cine(replace(record, frames=near)))["not_finite"] == "reject"
    centre = CineSettings(centre_px=(80.0, 75.0))
    prepared = prepare_cine(replace(record, frames=far), centre)
    assert prepared.is_accepted
    assert np.isfinite(prepared.frames).all()
    nothing = np.full(record.frames.shape, np.nan, dtype=np.float32)
    prepared = prepare_cine(replace(record, frames=nothing))
    assert not prepared.is_accepted
    assert np.isfinite(prepared.frames).all()


@pytest.mark.parametrize("bad", [float("nan"), 0.0, -1.0, float("inf")])
def test_missing_pixel_size_is_rejected(heart, bad: float) -> None:
    prepared = prepare_cine(replace(heart(), spacing_mm=(10.0, bad, 1.8)))
    assert codes(prepared)["no_pixel_size"] == "reject"


def test_padding_is_told(heart) -> None:
    record = heart(size=(100, 60), centre=(50.0, 30.0), spacing_mm=(10.0, 1.2, 1.2))
    prepared = prepare_cine(record)
    assert codes(prepared)["padded"] == "warning"
    assert not prepared.frames[:, :, 0].any()
    assert prepared.is_accepted


@pytest.mark.parametrize(
    ("interval_ms", "is_told"), [(5.0, True), (40.0, False), (200.0, True), (float("nan"), False)]
)
def test_implausible_cycle(heart, interval_ms: float, is_told: bool) -> None:
    prepared = prepare_cine(heart(interval_ms=interval_ms))
    assert ("implausible_cycle" in codes(prepared)) == is_told
    assert (prepared.frame_interval_ms is None) == np.isnan(interval_ms)


def test_prospective_gating_reaches_the_prepared_cine(heart) -> None:
    remark = Finding("prospective_gating", "warning", "the frames cover 400 of 800 ms")
    prepared = prepare_cine(replace(heart(), findings=(remark,)))
    assert "prospective_gating" in codes(prepared)


def test_tiny_images(heart) -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 2, 1, 1), (1, 3, 2, 5), (2, 5, 7, 3)):
        record = CineRecord(
            rng.random(shape).astype(np.float32), (8.0, 1.8, 1.8), np.arange(shape[1]) * 40.0, "x"
        )
        prepared = prepare_cine(record)
        assert prepared.frames.shape == (50, 84, 84)
        assert np.isfinite(prepared.frames).all()


def test_the_record_is_not_changed(heart) -> None:
    record = heart()
    before = record.frames.copy()
    prepare_cine(record)
    np.testing.assert_array_equal(record.frames, before)
