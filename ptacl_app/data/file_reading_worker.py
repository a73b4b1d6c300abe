"""Runs in the child process that reads files: a path, or the hash of a cohort's file → leads.

No model is here, so that the child answers at once and a trace stands before the model speaks.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ptacl_core.errors import ConfigError, MissingUnitError, RecordError
from ptacl_core.io import discover, read_ecg
from ptacl_core.io.discover.source_hash import hash_source
from ptacl_core.io.hints import ReaderHints
from ptacl_core.preprocess import analyse_ecg, prepare_ecg
from ptacl_core.records import EcgRecord, PreparedEcg
from ptacl_core.safety.processes.worker import Message
from ptacl_core.safety.text.printable import clean_text


def handle(request: Message, payload: bytes) -> tuple[dict[str, object], bytes]:
    """Answer one request of `file_reading.FileReader`: a document, and the leads."""
    del payload
    if request["task"] == "find":
        return _find(request)
    return read_file(Path(request["file"]), request["hints"])


def read_file(path: Path, hints: ReaderHints) -> tuple[dict[str, object], bytes]:
    """A file as the model and as a person sees it; why it cannot be read is part of the answer."""
    try:
        record = read_ecg(path, **hints)
        prepared = prepare_ecg(record)
    except (RecordError, ConfigError) as error:
        text = clean_text(str(error), max_length=600)
        return {"error": text, "needs_hints": isinstance(error, MissingUnitError)}, b""
    figures = analyse_ecg(prepared, record).figures
    document = {
        "format": record.source_format,
        "findings": [finding.as_dict() for finding in prepared.findings],
        "is_accepted": prepared.is_accepted,
        "heart_rate_bpm": prepared.heart_rate_bpm,
        "r_peak_samples": prepared.r_peak_samples.tolist(),
        "num_samples": int(prepared.signal_mv.shape[1]),
        "measurements": {key: figures[key] for key in figures if key != "heart_rate_bpm"},
        "device": dict(record.device_measurements),
        **describe_raw(record),
    }
    return document, pack_signals(prepared, record)


def describe_raw(record: EcgRecord) -> dict[str, object]:
    """Rate and names of the leads that `pack_signals` sends as the file has them."""
    return {
        "raw_rate_hz": float(record.sampling_rate_hz),
        "raw_lead_names": [*record.lead_names, *record.further_lead_names],
    }


def pack_signals(prepared: PreparedEcg | None, record: EcgRecord) -> bytes:
    """Millivolts as the model sees them (where it was prepared), then as the file has them."""
    signals = [] if prepared is None else [prepared.signal_mv]
    signals.append(record.signal_mv)
    if record.further_mv is not None:
        signals.append(record.further_mv)
    return b"".join(np.ascontiguousarray(signal, np.float32).tobytes() for signal in signals)


class OriginalFiles:
    """ECG files in some folders by the hash of their contents, each looked at once.

    A search stops at the file that was wanted and the next one goes on behind it. One recording in
    a file of many is not found: its hash is that of more than the file.
    """

    def __init__(self, roots: Sequence[str]) -> None:
        self.num_files = 0
        self._by_hash: dict[str, Path] = {}
        self._waiting = self._walk(roots)
        self.is_all = False

    def _walk(self, roots: Sequence[str]) -> Iterator[Path]:
        for root in roots:
            try:
                for file in discover(root):
                    if file.modality == "ecg":
                        yield file.path
            except RecordError:
                continue  # the folder is gone, or is not one: the others are looked at

    def find(self, digest: str, *, patience_s: float) -> Path | None:
        """The file with these contents; None when there is none, or not so soon (`is_all`)."""
        until_s = time.monotonic() + patience_s
        while digest not in self._by_hash and not self.is_all and time.monotonic() < until_s:
            path = next(self._waiting, None)
            if path is None:
                self.is_all = True
                break
            self.num_files += 1
            try:
                self._by_hash.setdefault(hash_source(path), path)
            except (OSError, RecordError):
                continue  # unreadable here: it cannot be the one that was read
        return self._by_hash.get(digest)


_looked_at: dict[tuple[str, ...], OriginalFiles] = {}
"""What this child has looked at, by the folders."""


def _find(request: Message) -> tuple[dict[str, object], bytes]:
    roots = tuple(request["roots"])
    if roots not in _looked_at:
        _looked_at.clear()
        _looked_at[roots] = OriginalFiles(roots)
    files = _looked_at[roots]
    path = files.find(request["sha256"], patience_s=request["patience_s"])
    document: dict[str, object] = {"num_files": files.num_files, "is_all": files.is_all}
    if path is None:
        return document, b""
    try:
        record = read_ecg(path)
    except (RecordError, ConfigError) as error:
        return document | {"error": clean_text(str(error), max_length=400)}, b""
    return document | describe_raw(record), pack_signals(None, record)
