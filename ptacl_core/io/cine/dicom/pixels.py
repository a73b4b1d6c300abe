"""Pixels of DICOM images as stored numbers: native ones read here, compressed ones in a child."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.io.cine.dicom.header import ImageHeader
from ptacl_core.io.cine.dicom.pixel_layout import PixelLayout
from ptacl_core.io.files.file_source import FileSource, MemoryFile, read_part
from ptacl_core.safety.processes.one_thread import ONE_THREAD

if TYPE_CHECKING:
    from ptacl_core.io.cine.dicom.decoder import DecoderJob

_WORKER = Path(__file__).with_name("decoder.py")
DECODER_MEMORY_BYTES = 2 * 1024**3
DECODER_TIME_S = 120
MAX_DECODER_DEATHS = 3


def load_images(
    headers: Sequence[ImageHeader], *, decoder_time_s: int = DECODER_TIME_S
) -> Iterator[Float32[Array, "height width"] | None]:
    """Yield the rescaled pixels of each image, None where they cannot be read or decoded.

    Compressed files are decoded by a child process with a memory and a time limit; when it dies
    the file that it died on counts as unreadable and the rest goes to a new child, at most
    `MAX_DECODER_DEATHS` times.
    """
    files: dict[FileSource, PixelLayout] = {header.layout.path: header.layout for header in headers}
    packed = [layout for layout in files.values() if layout.decoder is not None]
    with tempfile.TemporaryDirectory(prefix="ptacl-decode-") as scratch:
        decoded = _decode_in_child(packed, Path(scratch), decoder_time_s) if packed else {}
        for header in headers:
            yield _load_image(header, decoded)


def _load_image(
    header: ImageHeader, decoded: dict[FileSource, Path]
) -> Float32[Array, "height width"] | None:
    layout = header.layout
    if layout.decoder is None:
        stored = _read_native(layout, header.frame_index)
    else:
        stored = _read_decoded(layout, header.frame_index, decoded.get(layout.path))
    if stored is None:
        return None
    pixels = _significant_bits(stored, layout)
    if layout.is_inverted:
        darkest = -1 if layout.is_signed else 2**layout.bits_stored - 1
        pixels = darkest - pixels.astype(np.int64)
    if header.slope == 1.0 and header.intercept == 0.0:
        return pixels.astype(np.float32)
    return (pixels * header.slope + header.intercept).astype(np.float32)


def _read_native(layout: PixelLayout, frame_index: int) -> np.ndarray | None:
    kind = "i" if layout.is_signed else "u"
    order = ">" if layout.is_big_endian else "<"
    start = layout.value_offset + frame_index * layout.frame_bytes
    try:
        data = read_part(layout.path, start, layout.frame_bytes)
    except OSError:
        return None  # counted by the caller as a missing frame
    if len(data) != layout.frame_bytes:
        return None
    stored = np.frombuffer(data, dtype=f"{order}{kind}{layout.bits_allocated // 8}")
    return stored.reshape(layout.rows, layout.columns)


def _read_decoded(layout: PixelLayout, frame_index: int, target: Path | None) -> np.ndarray | None:
    if target is None:
        return None
    num_values = layout.rows * layout.columns
    with target.open("rb") as stream:
        stream.seek(4 * num_values * frame_index)
        stored = np.frombuffer(stream.read(4 * num_values), dtype=np.int32)
    return stored.reshape(layout.rows, layout.columns) if stored.size == num_values else None


def _significant_bits(stored: np.ndarray, layout: PixelLayout) -> np.ndarray:
    """The stored bits without what older files keep above them (overlays, padding)."""
    if layout.decoder is not None or layout.bits_stored == layout.bits_allocated:
        return stored
    native = stored.astype(stored.dtype.newbyteorder("="))
    shift = layout.bits_allocated - layout.bits_stored
    return (native << shift) >> shift


def _decode_in_child(
    layouts: list[PixelLayout], scratch: Path, time_s: int
) -> dict[FileSource, Path]:
    """Where the decoded pixels of each file lie; files that could not be decoded are absent."""
    decoded: dict[FileSource, Path] = {}
    remaining = list(enumerate(layouts))
    for _ in range(MAX_DECODER_DEATHS + 1):
        targets = [scratch / f"{index:06d}.raw" for index, _ in remaining]
        answers = _run_child([layout for _, layout in remaining], targets, time_s)
        for (_, layout), target, answer in zip(remaining, targets, answers, strict=False):
            if not answer:
                decoded[layout.path] = target
        remaining = remaining[len(answers) + 1 :]  # it died on the first without an answer
        if not remaining:
            break
    return decoded


def _on_disk(source: FileSource, target: Path) -> Path:
    """Where the child finds the file: written beside its target when only memory holds it."""
    if not isinstance(source, MemoryFile):
        return source.absolute()
    path = target.with_suffix(".dcm")
    path.write_bytes(source.data)
    return path


def _run_child(
    layouts: list[PixelLayout], targets: list[Path], time_s: int
) -> list[dict[str, str]]:
    """One child's answers, fewer than `layouts` when it died or ran out of time."""
    job: DecoderJob = {
        "memory_bytes": DECODER_MEMORY_BYTES,
        "cpu_s": time_s,
        "files": [
            {
                "path": str(_on_disk(layout.path, target)),
                "decoder": layout.decoder or "",
                "shape": [layout.num_frames, layout.rows, layout.columns],
                "target": str(target),
            }
            for layout, target in zip(layouts, targets, strict=True)
        ],
    }
    try:
        finished = subprocess.run(
            [sys.executable, "-P", str(_WORKER)],
            input=json.dumps(job).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=time_s,
            check=False,
            env={**os.environ, **ONE_THREAD},
        )
        output = finished.stdout
    except subprocess.TimeoutExpired as expired:
        output = expired.stdout or b""
    return [json.loads(line) for line in output.splitlines() if line.endswith(b"}")]
