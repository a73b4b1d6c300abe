"""EDF and EDF+: signals labelled as leads, scaled by their physical and digital ranges."""

from dataclasses import dataclass
from pathlib import Path

from ptacl_core.arrays import Array
from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.bounded_file import read_bytes, shown_name
from ptacl_core.io.ecg_assembly import Channel, Recording, assemble_ecg, check_extent, require_leads
from ptacl_core.io.ecg_hints import EcgHints
from ptacl_core.io.leads import find_lead
from ptacl_core.io.library_faults import library_faults
from ptacl_core.io.number_text import parse_count, parse_number
from ptacl_core.io.voltage import read_millivolts
from ptacl_core.records import EcgRecord

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
_ANNOTATIONS = "EDF Annotations"
_NO_SAMPLE = -32768
_MAX_SIGNALS = 1000


@dataclass(frozen=True, slots=True)
class _Signal:
    label: str
    dimension: str
    ranges: tuple[float | None, ...]
    samples_per_record: int


@dataclass(frozen=True, slots=True)
class _Header:
    record_s: float
    num_records: int
    signals: list[_Signal]


def read_edf_ecg(path: Path, hints: EcgHints) -> EcgRecord:
    """Signals whose labels name leads ("ECG aVR", "EKG II"); annotations and others left out.

    -32768 is no sample where the digital range excludes it. Raises UnsupportedFormatError for
    EDF+D (gaps) and leads at different rates, MissingUnitError for a dimension that is no
    voltage, UnreadableFileError where header and size of the file disagree.
    """
    name = shown_name(path)
    data = read_bytes(path)
    header = _read_header(data, name)
    signals = [signal for signal in header.signals if signal.label != _ANNOTATIONS]
    require_leads(name, [signal.label for signal in signals])
    counts = {
        signal.samples_per_record for signal in signals if find_lead(signal.label) is not None
    }
    if len(counts) != 1:
        raise UnsupportedFormatError(
            f"{name}: the leads are stored at different rates ({len(counts)} of them); resample "
            "them to one rate first"
        )
    per_record = counts.pop()
    rate_hz = round(per_record / header.record_s, 6)
    check_extent(name, num_samples=per_record * header.num_records, sampling_rate_hz=rate_hz)
    channels = [
        _to_channel(signal, raw, hints, name)
        for signal, raw in zip(signals, _read_digital(data, name), strict=True)
    ]
    return assemble_ecg(Recording(name, "edf", rate_hz, channels))


def _read_header(data: bytes, name: str) -> _Header:
    """The header, checked against the file's size. edfio itself checks neither."""
    if len(data) < _HEAD_BYTES:
        raise UnreadableFileError(
            f"{name}: expected an EDF header of 256 bytes, found {len(data)}; it is cut short"
        )
    kind = data[192:236].decode("latin-1").strip()
    if kind.startswith("EDF+D"):
        raise UnsupportedFormatError(
            f"{name}: a discontinuous EDF+ file (EDF+D, with gaps) is not read; export it as EDF+C"
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
    record_bytes = 2 * sum(signal.samples_per_record for signal in signals)
    stored, rest = divmod(len(data) - header_bytes, record_bytes)
    stated_text = data[236:244].decode("latin-1").strip()
    stated = stored if stated_text == "-1" else parse_count(stated_text)
    if stated != stored or rest or stored < 1:
        raise UnreadableFileError(
            f"{name}: the EDF header states {stated} records of {record_bytes} bytes, the file "
            f"holds {stored} and {rest} bytes more; it is damaged or cut short"
        )
    return _Header(record_s, stored, signals)


def _read_signals(data: bytes, num_signals: int, name: str) -> list[_Signal]:
    columns: dict[str, list[str]] = {}
    start = _HEAD_BYTES
    for field, width in _SIGNAL_FIELDS.items():
        columns[field] = [
            data[start + width * index : start + width * (index + 1)].decode("latin-1").strip()
            for index in range(num_signals)
        ]
        start += width * num_signals
    signals: list[_Signal] = []
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
        signals.append(_Signal(label, dimension, ranges, count))
    return signals


def _read_digital(data: bytes, name: str) -> list[Array]:
    """Stored integers of every signal but annotations, in the order of the file."""
    from edfio import read_edf

    with library_faults(name, "EDF file"):
        edf = read_edf(data, lazy_load_data=True, header_encoding="latin-1")
        return [signal.digital for signal in edf.signals]


def _to_channel(signal: _Signal, raw: Array, hints: EcgHints, name: str) -> Channel:
    lead = find_lead(signal.label)
    if lead is None:
        return Channel(signal.label, raw[:0], 1.0)
    low, high, digital_low, digital_high = signal.ranges
    if low is None or high is None or digital_low is None or digital_high is None:
        raise UnreadableFileError(f"{name}: the range of lead {lead} is not written as numbers")
    if digital_low >= digital_high or low == high:
        raise UnreadableFileError(
            f"{name}: the range of lead {lead} is empty ({low:g} to {high:g} for {digital_low:g} "
            f"to {digital_high:g}); the header is damaged"
        )
    step = (high - low) / (digital_high - digital_low)
    unit = signal.dimension or hints.unit or ""
    millivolts = read_millivolts(unit, name=name, where=f"the dimension of lead {lead}")
    return Channel(
        label=signal.label,
        raw=raw,
        scale_mv=step * millivolts,
        baseline=digital_low - low / step,
        missing_values=(_NO_SAMPLE,) if digital_low > _NO_SAMPLE else (),
    )
