"""Files that hold many recordings: which they are, and one after another, never all at once.

A batch is an array [recording, lead, sample] or [recording, sample, lead] (NPY, NPZ, HDF5;
CODE-15%, EchoNext), an XML export of several ECGs, or a person's file of several visits (ml4h).
`read_ecg(path, record_index=n)` reads one of them; here they are listed and streamed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptacl_core.errors import RecordError
from ptacl_core.io.ecg.arrays.array_files import list_npz_shapes, read_npy_header
from ptacl_core.io.ecg.arrays.hdf5 import find_strips, list_datasets, open_hdf5
from ptacl_core.io.ecg.detection import detect_ecg_format
from ptacl_core.io.ecg.read import read_ecg
from ptacl_core.io.ecg.xml.muse import list_muse_recordings
from ptacl_core.io.files.bounded_file import shown_name
from ptacl_core.records import EcgRecord

_KEY_NAMES = ("exam_id", "exam_ids", "record_id", "study_id", "ecg_id", "ids", "id", "names")
"""What files call the list of their recordings' identifiers."""


@dataclass(frozen=True, slots=True)
class BatchRecording:
    """One recording of a file: its key there (an identifier, else its number), its number.

    `index` is `record_index` of `read_ecg`.
    """

    key: str
    index: int


def list_recordings(path: str | Path) -> tuple[BatchRecording, ...]:
    """The recordings of a file, without reading their samples; one for an ordinary file.

    Keys are the identifiers that the file lists beside its array (`exam_id` …) when each is
    there once, else the numbers from 0. Raises as `read_ecg` for what is not an ECG file.
    """
    source = Path(path)
    detected = detect_ecg_format(source)
    keys: list[str] | None = None
    if detected == "npy":
        keys = _number(read_npy_header(source).shape)
    elif detected == "npz":
        shapes = list_npz_shapes(source)
        batches = [shape for shape in shapes.values() if len(shape) >= 3]
        keys = _number(batches[0]) if len(batches) == 1 else None
    elif detected == "hdf5":
        keys = _list_hdf5(source)
    elif detected == "muse_xml":
        keys = list_muse_recordings(source)
    return tuple(BatchRecording(key, index) for index, key in enumerate(keys or ["0"]))


def iter_recordings(
    path: str | Path, **hints: Any
) -> Iterator[tuple[str, EcgRecord | RecordError]]:
    """Each recording of a file under its key, one in memory at a time.

    One that cannot be used comes as the error that says why, and the next follows. `hints` as in
    `read_ecg`, without `record_index`. Raises as `list_recordings`.
    """
    recordings = list_recordings(path)
    for recording in recordings:
        chosen = {**hints, "record_index": recording.index} if len(recordings) > 1 else hints
        try:
            yield recording.key, read_ecg(path, **chosen)
        except RecordError as error:
            yield recording.key, error


def _number(shape: tuple[int, ...]) -> list[str] | None:
    return [str(index) for index in range(shape[0])] if len(shape) >= 3 else None


def _list_hdf5(path: Path) -> list[str] | None:
    name = shown_name(path)
    with open_hdf5(path) as file:
        datasets = list_datasets(file, name)
        if (strips := find_strips(datasets)) is not None:
            return list(strips)
        batches = [item for item in datasets.values() if item.ndim >= 3]
        if len(batches) != 1:
            return None
        number = int(batches[0].shape[0])
        for key_name in _KEY_NAMES:
            item = file.get(key_name)
            if item is None or getattr(item, "shape", None) != (number,):
                continue
            keys = [
                value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
                for value in item[()].tolist()
            ]
            if len(set(keys)) == number:
                return keys
        return [str(index) for index in range(number)]
