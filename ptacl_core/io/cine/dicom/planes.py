"""Planes of images: their normals, positions along them, and which images share one."""

from collections.abc import Sequence

import numpy as np

from ptacl_core.io.cine.dicom.header import ImageHeader

POSITION_TOLERANCE_MM = 1.0
_ANGLE_TOLERANCE_DEG = 1.0
_SPACING_TOLERANCE_MM = 1e-3


def slice_normal(header: ImageHeader) -> np.ndarray:
    """Unit normal of the image plane, row direction × column direction."""
    normal = np.cross(header.orientation[:3], header.orientation[3:])
    return normal / np.linalg.norm(normal)


def cluster_positions(positions_mm: np.ndarray) -> np.ndarray:
    """A slice number for each position along the normal: jitter within a slice is ignored."""
    order = np.argsort(positions_mm, kind="stable")
    steps = np.diff(positions_mm[order]) > POSITION_TOLERANCE_MM
    labels = np.empty(len(positions_mm), dtype=np.int64)
    labels[order] = np.concatenate([[0], np.cumsum(steps)])
    return labels


def project_positions(headers: Sequence[ImageHeader]) -> np.ndarray:
    """Position of each image along the stack in mm (formats.md: never SliceLocation)."""
    return np.array([header.position_mm for header in headers]) @ slice_normal(headers[0])


def shares_plane(first: ImageHeader, second: ImageHeader) -> bool:
    """Whether two images have one matrix, pixel size and orientation."""
    if (first.layout.rows, first.layout.columns) != (second.layout.rows, second.layout.columns):
        return False
    if not np.allclose(first.spacing_mm, second.spacing_mm, rtol=0, atol=_SPACING_TOLERANCE_MM):
        return False
    smallest = np.cos(np.deg2rad(_ANGLE_TOLERANCE_DEG))
    ours, theirs = np.array(first.orientation), np.array(second.orientation)
    return bool(ours[:3] @ theirs[:3] >= smallest and ours[3:] @ theirs[3:] >= smallest)
