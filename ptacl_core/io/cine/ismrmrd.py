"""ISMRMRD image files (HDF5) → CineRecord, sorted by the image headers' slice and phase."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.cine.nifti_header import MAX_VOXELS
from ptacl_core.io.files.bounded_file import shown_name
from ptacl_core.io.files.library_faults import library_faults
from ptacl_core.records import CineRecord, Finding

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_IMAGES = re.compile(r"image_?\d+", re.IGNORECASE)
_NEEDED = {"slice", "phase", "position", "slice_dir", "field_of_view", "matrix_size"}


def read_ismrmrd_cine(path: Path) -> CineRecord:
    """The images with the most phases per slice among the image groups of an ISMRMRD file.

    Slices ascend along the slice direction. Times are not stated by such files in a unit that
    holds for every scanner (`frame_times_unknown`). Raises UnsupportedFormatError for HDF5 of
    another kind, MissingUnitError for images without their headers, UnreadableFileError for a
    grid that is not complete.
    """
    import h5py

    shown = shown_name(path)
    with library_faults(shown, "ISMRMRD file"), h5py.File(path, "r") as opened:
        file: Any = opened
        groups: list[Any] = [
            group
            for dataset in file.values()
            if isinstance(dataset, h5py.Group)
            for key, group in dataset.items()
            if isinstance(group, h5py.Group) and _IMAGES.fullmatch(key) and "data" in group
        ]
        if not groups:
            raise UnsupportedFormatError(
                f"{shown}: expected ISMRMRD images, found HDF5 of another kind; an ECG is read "
                "with read_ecg"
            )
        group = max(groups, key=lambda group: group["data"].shape[0])
        header = group.get("header")
        if header is None or not set(header.dtype.names or ()) >= _NEEDED:
            raise MissingUnitError(
                f"{shown}: the ISMRMRD images have no headers with slice, phase and position; save "
                "them with headers, or the array as NPY and give axes and spacing_mm"
            )
        if group["data"].size > MAX_VOXELS:
            raise UnsupportedFormatError(f"{shown}: more than {MAX_VOXELS:.3g} voxels")
        return _assemble(group["data"][()], header[()], shown)


def _assemble(data: np.ndarray, header: Any, shown: str) -> CineRecord:
    images = np.abs(data).astype(np.float32) if np.iscomplexobj(data) else data.astype(np.float32)
    images = images.reshape(len(images), -1, *images.shape[-2:])[:, 0]
    normal = np.asarray(header["slice_dir"][0], dtype=np.float64)
    normal = normal / max(float(np.linalg.norm(normal)), 1e-9)
    positions = np.asarray(header["position"], dtype=np.float64) @ normal
    numbers, first = np.unique(header["slice"], return_index=True)
    order = numbers[np.argsort(positions[first], kind="stable")]
    phases = np.unique(header["phase"])
    frames = np.full((len(order), len(phases), *images.shape[1:]), np.nan, np.float32)
    for image, at_slice, phase in zip(images, header["slice"], header["phase"], strict=True):
        frames[np.flatnonzero(order == at_slice)[0], np.searchsorted(phases, phase)] = image
    if len(phases) < 2 or np.isnan(frames[:, :, 0, 0]).any():
        raise UnreadableFileError(
            f"{shown}: expected every phase of every slice, found {len(images)} images for "
            f"{len(order)} slices and {len(phases)} phases"
        )
    field_mm = np.asarray(header["field_of_view"][0], dtype=np.float64)
    size = np.asarray(header["matrix_size"][0], dtype=np.float64)
    steps = np.diff(np.sort(positions[first]))
    slice_mm = float(np.median(steps)) if len(steps) else float(field_mm[2] / max(size[2], 1))
    spacing_mm = (slice_mm, float(field_mm[1] / size[1]), float(field_mm[0] / size[0]))
    finding = Finding("frame_times_unknown", "warning", "the source states no time between frames")
    times_ms = np.full(len(phases), np.nan)
    return CineRecord(frames, spacing_mm, times_ms, "ismrmrd", (finding,))
