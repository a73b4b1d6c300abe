"""Disposable process that decodes compressed DICOM pixels; its death costs one image.

Run by path as `python -P dicom_decoder.py`; imports nothing of the package. One JSON job comes
on stdin: {"memory_bytes", "cpu_s", "files": [{"path", "decoder", "shape", "target"}]}. For each
file in turn the decoded int32 pixels are written to `target` and one JSON line to stdout: {} or
{"fault": name of the exception}. A missing line means that the process died on that file.
"""

import json
import resource
import struct
import sys
import warnings
from typing import TypedDict

import numpy as np
from pydicom import config, dcmread
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import pixel_array

_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15 without the tables between them, and JPEG-LS's."""


class CompressedFile(TypedDict):
    """One file of a job: where it is, which plugin decodes it, what its header says it holds.

    `shape` is [frames, rows, columns]; the pixels go to `target`.
    """

    path: str
    decoder: str
    shape: list[int]
    target: str


class DecoderJob(TypedDict):
    """What the process is given on stdin."""

    memory_bytes: int
    cpu_s: int
    files: list[CompressedFile]


def main() -> None:
    """Decode every file of the job on stdin."""
    job: DecoderJob = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (job["memory_bytes"], job["memory_bytes"]))
    resource.setrlimit(resource.RLIMIT_CPU, (job["cpu_s"], job["cpu_s"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    with config.disable_value_validation():
        for file in job["files"]:
            try:
                _decode(file)
                answer = {}
            except Exception as error:  # noqa: BLE001 - whatever a decoder raises is told to the parent
                answer = {"fault": type(error).__name__}
            print(json.dumps(answer), flush=True)  # noqa: T201 - the protocol


def _decode(file: CompressedFile) -> None:
    if file["decoder"] != "pydicom":
        _check_frames(file)
    pixels = pixel_array(file["path"], decoding_plugin=file["decoder"], raw=True)
    if pixels.size != np.prod(file["shape"]):
        raise ValueError("decoded size differs from the header")
    with open(file["target"], "xb") as stream:  # noqa: PTH123
        stream.write(np.ascontiguousarray(pixels, dtype=np.int32).tobytes())


def _check_frames(file: CompressedFile) -> None:
    """Raise ValueError when a code stream claims another size than the file's header.

    The gate has seen the header only; a decoder believes the stream, however large it says it is.
    """
    num_frames, *size = file["shape"]
    pixels = dcmread(file["path"], specific_tags=["PixelData"]).PixelData
    for frame in generate_frames(pixels, number_of_frames=num_frames):
        claimed = _find_size(frame)
        if claimed != size and not (claimed is None and file["decoder"] == "pillow"):
            raise ValueError("the code stream has another size than the header")


def _find_size(stream: bytes) -> list[int] | None:
    """[rows, columns] in a JPEG 2000 stream's SIZ or a JPEG stream's frame header."""
    if stream[:4] == b"\xff\x4f\xff\x51" and len(stream) >= 24:
        width, height, left, top = struct.unpack_from(">4L", stream, 8)
        return [height - top, width - left]
    at = 2
    while at + 9 <= len(stream) and stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker in _FRAME_MARKERS:
            return list(struct.unpack_from(">HH", stream, at + 5))
        if marker == 0xFF:  # fill
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD9:  # no segment follows
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", stream, at + 2)[0]
    return None


if __name__ == "__main__":
    main()
