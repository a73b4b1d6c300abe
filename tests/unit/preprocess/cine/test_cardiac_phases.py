"""End-diastole and end-systole from the images, as stated, and where the two disagree."""

import nibabel
import numpy as np
import pytest

from ptacl_core.io import read_cine
from ptacl_core.preprocess import prepare_cine
from ptacl_core.preprocess.cavity import find_phases
from ptacl_core.records import CineRecord

NUM_FRAMES = 20
SPACING_MM = (8.0, 1.8, 1.8)


def draw(first: int, *, contraction: float = 0.45, noise: float = 5.0) -> np.ndarray:
    """One slice: a ventricle largest in frame `first`, a second one beside it, a bright wall."""
    rng = np.random.default_rng(first)
    row, column = np.mgrid[:96, :96]
    phase = 2 * np.pi * (np.arange(NUM_FRAMES) - first) / NUM_FRAMES
    radii = 14 * np.sqrt(1 - contraction * (1 - np.cos(phase)) / 2)
    frames = np.full((NUM_FRAMES, 96, 96), 60.0)
    for frame, radius in zip(frames, radii, strict=True):
        frame[np.hypot(row - 47, column - 50) < radius] = 300
        frame[np.hypot(row - 47, (column - 20) * 1.4) < radius] = 280
        frame[:, :3] = 500
    return (frames + rng.normal(0, noise, frames.shape)).astype(np.float32)


def record(first: int, **changes) -> CineRecord:
    frames = np.repeat(draw(first)[None], 3, axis=0)
    times_ms = 45.0 * np.arange(NUM_FRAMES)
    return CineRecord(frames, SPACING_MM, times_ms, "nifti", **changes)


def codes(prepared) -> set[str]:
    return {finding.code for finding in prepared.findings}


@pytest.mark.parametrize("first", range(0, NUM_FRAMES, 3))
def test_the_largest_and_the_smallest_cavity_are_found(first):
    phases = find_phases(draw(first), centre_px=(47, 50), spacing_mm=SPACING_MM[1:])
    assert phases is not None
    assert min((phases.end_diastole - first) % 20, (first - phases.end_diastole) % 20) <= 1
    expected = (first + 10) % 20
    assert min((phases.end_systole - expected) % 20, (expected - phases.end_systole) % 20) <= 1
    assert phases.contraction == pytest.approx(0.45, abs=0.08)


def test_a_cavity_that_hardly_changes_says_nothing():
    still = draw(0, contraction=0.02, noise=20.0)
    assert find_phases(still, centre_px=(47, 50), spacing_mm=SPACING_MM[1:]) is None


def test_a_cycle_that_starts_elsewhere_is_turned_and_told():
    turned, straight = prepare_cine(record(8)), prepare_cine(record(0))
    assert "end_diastole_moved" in codes(turned)
    assert abs(turned.end_diastole_frame - 8) <= 1
    assert turned.end_systole_phase is not None
    assert abs(turned.end_systole_phase - 25) <= 3
    size = turned.frames[:, 30:54, 30:54].sum(axis=(1, 2))
    assert size[:3].mean() > 0.97 * size.max()
    assert "end_diastole_moved" not in codes(straight)
    assert straight.end_diastole_frame == 0


@pytest.mark.parametrize("first", [1, 3, 17, 19])
def test_a_largest_cavity_near_the_r_wave_leaves_frame_0_first(first):
    prepared = prepare_cine(record(first))
    assert prepared.end_diastole_frame == 0
    assert "end_diastole_moved" not in codes(prepared)


def test_stated_frames_count_and_a_disagreement_is_told():
    agreed = prepare_cine(record(8, end_diastole=7, end_systole=18))
    assert agreed.end_diastole_frame == 7
    assert not {"end_diastole_disagrees", "end_systole_disagrees"} & codes(agreed)
    assert agreed.end_systole_phase == round(11 * 50 / 20)
    other = prepare_cine(record(8, end_diastole=0, end_systole=8))
    assert other.end_diastole_frame == 0
    assert {"end_diastole_disagrees", "end_systole_disagrees"} <= codes(other)


def test_acdc_states_frames_and_size_in_a_file_beside(tmp_path):
    frames = draw(8)
    image = nibabel.Nifti1Image(frames.transpose(2, 1, 0)[:, :, None], np.diag([1.8, 1.8, 8, 1]))
    path = tmp_path / "patient900_4d.nii.gz"
    nibabel.save(image, path)
    info = "ED: 9\nES: 18\nGroup: NOR\nHeight: 184.0\nNbFrame: 20\nWeight: 95.0\n"
    (tmp_path / "Info.cfg").write_text(info)
    read = read_cine(path)
    assert (read.end_diastole, read.end_systole) == (8, 17)
    assert (read.person.height_cm, read.person.weight_kg) == (184.0, 95.0)
    (tmp_path / "Info.cfg").write_text(info.replace("20", "30"))
    assert read_cine(path).end_diastole is None
    assert read_cine(path, end_diastole=4).end_diastole == 4
    outside = read_cine(path, end_systole=20)
    assert outside.end_systole is None
    assert "20 frames" in next(
        finding.message for finding in outside.findings if finding.code == "stated_frame_impossible"
    )
