"""Headers of EDF, EDF+ and BDF (EDF with 24 bits), checked against the file's size."""

import re
from dataclasses import dataclass, replace

from ptacl_core.errors import UnreadableFileError
from ptacl_core.io.files.number_text import parse_count, parse_number

_HEAD_BYTES = 256
_SIGNAL_FIELDS = {
    "label": 16,
    "transducer": 80,
    "dimension": 8,
    "physical_min": 8,
    "physical_max": 8,
    "digital_min": 8,
    "digital_max": 8,
    "prefiltering": 80,
    "samples_per_record": 8,
    "reserved": 32,
}
_BDF_MARK = b"\xffBIOSEMI"
_ANNOTATIONS = {"EDF Annotations", "BDF Annotations"}
_ONSET = re.compile(rb"([+-]\d{1,9}(?:\.\d{0,9})?)(?:\x15[0-9.]{0,20})?\x14")
_MAX_SIGNALS = 1000


@dataclass(frozen=True, slots=True)
class SignalHeader:
    """One signal; `ranges`: physical minimum and maximum, digital minimum and maximum."""

    label: str
    dimension: str
    ranges: tuple[float | None, ...]
    samples_per_record: int

    @property
    def is_annotations(self) -> bool:
        """Whether its bytes are text: times and events, no samples."""
        return self.label in _ANNOTATIONS


@dataclass(frozen=True, slots=True)
class EdfHeader:
    """A file's header; `is_discontinuous`: its records (EDF+D, BDF+D) may not follow each other.

    `sample_bytes` is 2 (EDF) or 3 (BDF).
    """

    record_s: float
    num_records: int
    signals: list[SignalHeader]
    sample_bytes: int
    is_discontinuous: bool

    @property
    def first_record_byte(self) -> int:
        """Where the samples start."""
        return _HEAD_BYTES * (len(self.signals) + 1)

    @property
    def record_bytes(self) -> int:
        """Size of one data record."""
        return self.sample_bytes * sum(signal.samples_per_record for signal in self.signals)


def read_edf_header(data: bytes, *, name: str) -> EdfHeader:
    """The header, checked against the file's size.

    Raises UnreadableFileError.
    """
    if len(data) < _HEAD_BYTES:
        raise UnreadableFileError(
            f"{name}: expected an EDF header of 256 bytes, found {len(data)}; it is cut short"
        )
    num_signals = parse_count(data[252:256].decode("latin-1"))
    record_s = parse_number(data[244:252].decode("latin-1"))
    stated_bytes = parse_count(data[184:192].decode("latin-1"))
    if not num_signals or num_signals > _MAX_SIGNALS:
        raise UnreadableFileError(f"{name}: the EDF header states no usable number of signals")
    header_bytes = _HEAD_BYTES * (num_signals + 1)
    if stated_bytes != header_bytes or len(data) < header_bytes:
        raise UnreadableFileError(
            f"{name}: {num_signals} signals need an EDF header of {header_bytes} bytes, the file "
            f"states {stated_bytes} and has {len(data)} in all; it is damaged or cut short"
        )
    if record_s is None or record_s <= 0:
        raise UnreadableFileError(f"{name}: the EDF header states no usable record duration in s")
    signals = _read_signals(data, num_signals, name)
    sample_bytes = 3 if data.startswith(_BDF_MARK) else 2
    is_discontinuous = data[192:197] in {b"EDF+D", b"BDF+D"}
    header = EdfHeader(record_s, 0, signals, sample_bytes, is_discontinuous)
    stored, rest = divmod(len(data) - header_bytes, header.record_bytes)
    stated_text = data[236:244].decode("latin-1").strip()
    stated = stored if stated_text == "-1" else parse_count(stated_text)
    if stated != stored or rest or stored < 1:
        raise UnreadableFileError(
            f"{name}: the EDF header states {stated} records of {header.record_bytes} bytes, the "
            f"file holds {stored} and {rest} bytes more; it is damaged or cut short"
        )
    return replace(header, num_records=stored)


def read_onsets_s(data: bytes, header: EdfHeader, *, name: str) -> list[float]:
    """When each data record starts, in seconds, from the annotations that open it.

    Raises UnreadableFileError where a discontinuous file does not say so.
    """
    offset = 0
    for signal in header.signals:
        if signal.is_annotations:
            break
        offset += signal.samples_per_record * header.sample_bytes
    else:
        raise UnreadableFileError(
            f"{name}: a discontinuous file (EDF+D, BDF+D) without the times of its records; export "
            "it as a continuous one (EDF+C)"
        )
    length = signal.samples_per_record * header.sample_bytes
    onsets_s: list[float] = []
    for record in range(header.num_records):
        start = header.first_record_byte + record * header.record_bytes + offset
        match = _ONSET.match(data[start : start + length])
        if match is None:
            raise UnreadableFileError(
                f"{name}: record {record + 1} of a discontinuous file does not state when it "
                "starts; the file is damaged"
            )
        onsets_s.append(float(match[1]))
    return onsets_s


def _read_signals(data: bytes, num_signals: int, name: str) -> list[SignalHeader]:
    columns: dict[str, list[str]] = {}
    start = _HEAD_BYTES
    for field, width in _SIGNAL_FIELDS.items():
        columns[field] = [
            data[start + width * index : start + width * (index + 1)].decode("latin-1").strip()
            for index in range(num_signals)
        ]
        start += width * num_signals
    signals: list[SignalHeader] = []
    for index in range(num_signals):
        count = parse_count(columns["samples_per_record"][index])
        if not count:
            raise UnreadableFileError(
                f"{name}: the EDF header states no usable number of samples for signal {index + 1}"
            )
        ranges = tuple(
            parse_number(columns[field][index])
            for field in ("physical_min", "physical_max", "digital_min", "digital_max")
        )
        label, dimension = columns["label"][index], columns["dimension"][index]
        signals.append(SignalHeader(label, dimension, ranges, count))
    return signals
