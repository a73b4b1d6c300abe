"""Real patients with manual contours, and a drawn heart that beats."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ptacl_core.io.cine.read import read_cine
from ptacl_core.records import CineRecord

DATA = Path(__file__).parents[3] / "data" / "cmr"
PATIENTS = {
    "101 DICOM": ("SCD0000101_sax_3slices_10frames.zip", "SCD0000101", 0),
    "101 NIfTI": ("SCD0000101_sax_3slices_10frames.nii.gz", "SCD0000101", 64),
    "201 NIfTI": ("SCD0000201_sax_midslice_10frames.nii.gz", "SCD0000201", 48),
    "301 DICOM": ("SCD0000301_sax_midslice.zip", "SCD0000301", 0),
}


def draw_heart(
    *,
    num_slices: int = 3,
    num_frames: int = 20,
    size: tuple[int, int] = (128, 120),
    centre: tuple[float, float] = (60.0, 66.0),
    spacing_mm: tuple[float, float, float] = (10.0, 1.8, 1.8),
    interval_ms: float = 40.0,
) -> CineRecord:
    """A bright pool (radius 24 mm, beating) in a dark ring on grey, a still bright disc aside."""
    rows = (np.arange(size[0])[:, None] - centre[0]) * spacing_mm[1]
    columns = (np.arange(size[1])[None, :] - centre[1]) * spacing_mm[2]
    distance_mm = np.hypot(rows, columns)
    aside_mm = np.hypot(rows - 60.0, columns - 45.0)
    frames = np.empty((num_slices, num_frames, *size), dtype=np.float32)
    for frame in range(num_frames):
        radius_mm = 24.0 - 6.0 * np.sin(np.pi * frame / num_frames) ** 2
        image = np.full(size, 80.0)
        image[aside_mm < 25] = 300
        image[distance_mm < radius_mm + 10] = 20
        image[distance_mm < radius_mm] = 300
        frames[:, frame] = image
    times_ms = np.arange(num_frames) * interval_ms
    return CineRecord(frames, spacing_mm, times_ms, "drawn")


@pytest.fixture(scope="session")
def heart() -> Callable[..., CineRecord]:
    return draw_heart


@pytest.fixture(scope="session", params=PATIENTS)
def patient(request: pytest.FixtureRequest) -> SimpleNamespace:
    """A record, and the epicardial contour (row, column) of its middle slice in its pixels."""
    file, name, offset_px = PATIENTS[request.param]
    column_row = np.loadtxt(DATA / f"{name}_midslice_epicardium.txt")
    return SimpleNamespace(
        record=read_cine(DATA / file), contour_px=column_row[:, ::-1] - offset_px
    )
