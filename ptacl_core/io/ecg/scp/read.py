"""SCP-ECG (EN 1064): the rhythm of section 6, with what compression took out of it put back."""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array, Int64
from ptacl_core.errors import PtaclError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.ecg.assembly import Channel, Recording, assemble_ecg, check_extent, require_leads
from ptacl_core.io.ecg.device import clean_statements, place_marks, unreadable_beat
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.leads import LEAD_CODES
from ptacl_core.io.ecg.person_facts import scp_person
from ptacl_core.io.ecg.scp.huffman import DEFAULT_TABLE, HuffmanCode, decode_samples, read_table
from ptacl_core.io.ecg.scp.reference_beats import (
    BeatPlan,
    add_reference_beats,
    find_r_samples,
    place_stored_samples,
    read_beat_plan,
)
from ptacl_core.io.ecg.scp.sections import read_sections, short_reads
from ptacl_core.io.ecg.scp.statements import read_statements
from ptacl_core.io.files.bounded_file import read_bytes, shown_name
from ptacl_core.records import BeatMarks, EcgRecord, Finding

_MAX_SCP_BYTES = 16 * 1024**2
_MAX_SAMPLES = 20_000_000
"""All leads together: Huffman codes are decoded symbol by symbol."""
_DEFAULT_TABLE_COUNT = 19999
_NOT_MEASURED = 29999
_MAX_DECIMATION = 4
_PADDING_BITS = 32
"""A lead's bits are filled up with zeros to whole words; a zero bit may read as one more sample."""


@dataclass(frozen=True, slots=True)
class _Lead:
    label: str
    num_samples: int
    start: int


@dataclass(frozen=True, slots=True)
class _Coding:
    """The head of section 5 or 6: nV per step, us per sample, order of the differences."""

    nanovolts: int
    interval_us: int
    order: int
    is_bimodal: bool


def read_scp_ecg(path: Path, _hints: EcgHints) -> EcgRecord:
    """The rhythm of section 6: plain or Huffman-coded, as samples, first or second differences.

    A subtracted reference beat is added back; what was stored at a lower rate outside the beats
    (bimodal compression) is interpolated to the reference beat's rate (`decimated`). Refused in
    words (UnsupportedFormatError): leads that are not simultaneous, switched Huffman tables.
    UnreadableFileError: lengths or checksums of the sections used that disagree.
    """
    name = shown_name(path)
    data = read_bytes(path, max_bytes=_MAX_SCP_BYTES)
    findings: list[Finding] = []
    sections = read_sections(data, name, findings)
    if 6 not in sections or 3 not in sections:
        held = "only a reference beat" if 5 in sections else "none"
        raise UnsupportedFormatError(
            f"{name}: expected rhythm data (SCP sections 3 and 6), found {held}"
        )
    leads, is_subtracted = _read_leads(sections[3], name)
    require_leads(name, [lead.label for lead in leads])
    rhythm = _read_coding(sections, 6, name)
    table = _read_huffman(sections.get(2), name)
    if is_subtracted or rhythm.is_bimodal:
        rate_hz, scale_mv, signals = _reconstruct(
            sections, leads, rhythm, table, name, is_subtracted=is_subtracted, findings=findings
        )
    else:
        rate_hz, scale_mv = _to_rate_hz(rhythm), rhythm.nanovolts / 1e6
        check_extent(name, num_samples=leads[0].num_samples, sampling_rate_hz=rate_hz)
        signals = _read_samples(
            sections, 6, table, rhythm.order, [lead.num_samples for lead in leads], name
        )
    channels = [
        Channel(lead.label, samples, scale_mv) for lead, samples in zip(leads, signals, strict=True)
    ]
    figures = _read_measurements(sections.get(7))
    marks = _read_marks(sections.get(7))
    return assemble_ecg(
        Recording(
            name,
            "scp",
            rate_hz,
            channels,
            findings,
            _read_r_samples(sections, leads[0].start, rate_hz, name),
            figures,
            device_beat=_read_beat(sections, leads, table, name, findings),
            device_marks=marks,
            person=scp_person(sections.get(1)),
            device_statements=clean_statements(read_statements(sections.get(8))),
        )
    )


def _read_r_samples(
    sections: dict[int, bytes], first_sample: int, rate_hz: float, name: str
) -> Array | None:
    """Where section 4 puts the beats, in samples of the rhythm; None where it cannot be told."""
    if 4 not in sections:
        return None
    try:
        plan = read_beat_plan(sections[4], name=name)
        counted_hz = _to_rate_hz(_read_coding(sections, 5 if 5 in sections else 6, name))
    except PtaclError:
        return None  # the rhythm is read all the same; without the section there are no times
    return find_r_samples(plan, first_sample=first_sample, counted_hz=counted_hz, rate_hz=rate_hz)


def _reconstruct(
    sections: dict[int, bytes],
    leads: list[_Lead],
    rhythm: _Coding,
    table: list[HuffmanCode] | None,
    name: str,
    *,
    is_subtracted: bool,
    findings: list[Finding],
) -> tuple[float, float, list[Array]]:
    """Rate in Hz, mV per step and samples of leads stored as what a reference beat leaves over."""
    if 4 not in sections or 5 not in sections:
        raise UnreadableFileError(
            f"{name}: the rhythm is stored as a difference from a reference beat, whose SCP "
            "sections 4 and 5 are missing; the file is cut short or damaged"
        )
    plan = read_beat_plan(sections[4], name=name)
    beat = _read_coding(sections, 5, name)
    factor, rest = divmod(rhythm.interval_us, beat.interval_us)
    if rest or not 1 <= factor <= _MAX_DECIMATION:
        raise UnsupportedFormatError(
            f"{name}: the rhythm is stored every {rhythm.interval_us} us, its reference beat every "
            f"{beat.interval_us} us; read are whole multiples up to {_MAX_DECIMATION}"
        )
    rate_hz = _to_rate_hz(beat)
    check_extent(name, num_samples=leads[0].num_samples, sampling_rate_hz=rate_hz)
    places, spans = place_stored_samples(
        num_samples=leads[0].num_samples,
        first_sample=leads[0].start,
        factor=factor,
        protected=plan.protected if rhythm.is_bimodal else (),
    )
    residuals = _read_samples(
        sections, 6, table, rhythm.order, [len(places)] * len(leads), name, is_whole=True
    )
    signals = [_spread(stored, places, spans) * rhythm.nanovolts for stored in residuals]
    if is_subtracted:
        _add_beats(sections, leads, signals, plan, beat, table, name)
    if (num_decimated := int(spans[spans > 1].sum())) > 0:
        findings.append(
            Finding(
                "decimated",
                "info",
                f"{num_decimated} of {leads[0].num_samples} samples per lead lie outside the beats "
                f"and were stored as one of {factor}; they were interpolated",
            )
        )
    return rate_hz, 1e-6, signals


def _add_beats(
    sections: dict[int, bytes],
    leads: list[_Lead],
    signals: list[Array],
    plan: BeatPlan,
    beat: _Coding,
    table: list[HuffmanCode] | None,
    name: str,
) -> None:
    references = _read_references(sections, len(leads), plan, beat, table, name)
    for lead, samples, reference in zip(leads, signals, references, strict=True):
        add_reference_beats(samples, reference * beat.nanovolts, plan, first_sample=lead.start)


def _read_references(
    sections: dict[int, bytes],
    num_leads: int,
    plan: BeatPlan,
    beat: _Coding,
    table: list[HuffmanCode] | None,
    name: str,
) -> list[Array]:
    num_samples = round(plan.reference_ms * 1000 / beat.interval_us)
    if not 1 <= num_samples * num_leads <= _MAX_SAMPLES:
        raise UnreadableFileError(
            f"{name}: SCP section 4 states a reference beat of {plan.reference_ms} ms; it "
            "is damaged"
        )
    return _read_samples(sections, 5, table, beat.order, [num_samples] * num_leads, name)


def _read_beat(
    sections: dict[int, bytes],
    leads: list[_Lead],
    table: list[HuffmanCode] | None,
    name: str,
    findings: list[Finding],
) -> tuple[list[Channel], float] | None:
    """The reference beat of section 5; without it the rhythm is read all the same."""
    if 4 not in sections or 5 not in sections:
        return None
    try:
        plan = read_beat_plan(sections[4], name=name)
        beat = _read_coding(sections, 5, name)
        signals = _read_references(sections, len(leads), plan, beat, table, name)
    except PtaclError as error:
        findings.append(unreadable_beat(error))
        return None
    scale_mv = beat.nanovolts / 1e6
    channels = [
        Channel(lead.label, samples, scale_mv) for lead, samples in zip(leads, signals, strict=True)
    ]
    return channels, _to_rate_hz(beat)


def _spread(stored: Int64[Array, " stored"], places: Array, spans: Array) -> Array:
    """Every sample of the lead: stored ones as they are, the others interpolated."""
    if (spans == 1).all():
        return stored.astype(np.float64)
    return np.interp(np.arange(int(spans.sum())), places, stored)


def _to_rate_hz(coding: _Coding) -> float:
    return round(1e6 / coding.interval_us, 6)


def _read_coding(sections: dict[int, bytes], number: int, name: str) -> _Coding:
    with short_reads(name, f"section {number}"):
        nanovolts, interval_us, order, mode = struct.unpack_from("<HHBB", sections[number])
    if nanovolts == 0 or interval_us == 0 or order > 2:
        raise UnreadableFileError(
            f"{name}: section {number} states {nanovolts} nV per step, {interval_us} us per sample "
            f"and difference order {order}; it is damaged"
        )
    return _Coding(nanovolts, interval_us, order, number == 6 and mode == 1)


def _read_leads(section: bytes, name: str) -> tuple[list[_Lead], bool]:
    """The leads of section 3, and whether a reference beat was subtracted."""
    with short_reads(name, "section 3"):
        count, flags = struct.unpack_from("<BB", section)
        entries = [struct.unpack_from("<IIB", section, 2 + 9 * index) for index in range(count)]
    leads = [
        _Lead(LEAD_CODES.get(code, f"lead {code}"), end - start + 1, start)
        for start, end, code in entries
    ]
    if not leads:
        raise UnreadableFileError(f"{name}: SCP section 3 lists no leads")
    if len({(lead.start, lead.num_samples) for lead in leads}) > 1:
        raise UnsupportedFormatError(
            f"{name}: the leads start or end at different samples; 12 simultaneous leads are needed"
        )
    if leads[0].num_samples * len(leads) > _MAX_SAMPLES:
        raise UnsupportedFormatError(
            f"{name}: {len(leads)} leads of {leads[0].num_samples} samples are more than the "
            f"{_MAX_SAMPLES} samples that are unpacked"
        )
    return leads, bool(flags & 1)


def _read_huffman(section: bytes | None, name: str) -> list[HuffmanCode] | None:
    """The table of section 2; None: samples are plain 16-bit integers."""
    if section is None:
        return None
    with short_reads(name, "section 2"):
        (count,) = struct.unpack_from("<H", section)
        if count == _DEFAULT_TABLE_COUNT:
            return list(DEFAULT_TABLE)
        if count != 1:
            raise UnsupportedFormatError(
                f"{name}: SCP data coded with {count} switched Huffman tables are not read; export "
                "it with the default table"
            )
        return read_table(section[2:], name=name)


def _read_samples(
    sections: dict[int, bytes],
    number: int,
    table: list[HuffmanCode] | None,
    order: int,
    counts: list[int],
    name: str,
    *,
    is_whole: bool = False,
) -> list[Array]:
    """`counts` samples of each lead in section 5 or 6.

    With `is_whole` a lead that holds more is refused too: its stretches were counted otherwise.
    """
    section = sections[number]
    with short_reads(name, f"section {number}"):
        lengths = struct.unpack_from(f"<{len(counts)}H", section, 6)
    position = 6 + 2 * len(counts)
    samples: list[Array] = []
    for count, length in zip(counts, lengths, strict=True):
        stored = section[position : position + length]
        position += length
        if len(stored) != length:
            raise UnreadableFileError(
                f"{name}: SCP section {number} ends within lead {len(samples) + 1} of {len(counts)}"
            )
        if table is None:
            differences = np.frombuffer(stored[: len(stored) // 2 * 2], "<i2").astype(np.int64)
        else:
            differences = decode_samples(stored, table, count=count + _PADDING_BITS)
        is_longer = len(differences) >= count + _PADDING_BITS
        if len(differences) < count or (is_whole and is_longer):
            held = "more" if is_longer else len(differences)
            raise UnreadableFileError(
                f"{name}: the file states {count} samples per lead, lead {len(samples) + 1} of SCP "
                f"section {number} holds {held}; it is damaged"
            )
        samples.append(_integrate(differences[:count], order))
    return samples


def _integrate(differences: Array, order: int) -> Array:
    """Samples from differences of `order`; the first `order` values are samples themselves."""
    if order == 0 or len(differences) < 2:
        return differences
    if order == 1:
        return np.cumsum(differences)
    slopes = differences.copy()
    slopes[1] = differences[1] - differences[0]
    slopes[1:] = np.cumsum(slopes[1:])
    return np.cumsum(slopes)


def _read_measurements(section: bytes | None) -> dict[str, float]:
    """Heart rate, PR, QRS, QT and axis of section 7's first block (the reference beat)."""
    if section is None or len(section) < 22:
        return {}
    (rr_ms,) = struct.unpack_from("<H", section, 2)
    p_on, _, qrs_on, qrs_off, t_off = struct.unpack_from("<5H", section, 6)
    _, axis_deg, _ = struct.unpack_from("<3h", section, 16)
    figures: dict[str, float] = {}
    if 0 < rr_ms != _NOT_MEASURED:
        figures["heart_rate_bpm"] = 60_000.0 / rr_ms
    for key, start, stop in (
        ("pr_ms", p_on, qrs_on),
        ("qrs_ms", qrs_on, qrs_off),
        ("qt_ms", qrs_on, t_off),
    ):
        if _NOT_MEASURED not in (start, stop) and stop > start:
            figures[key] = float(stop - start)
    if abs(axis_deg) <= 360:
        figures["axis_deg"] = float(axis_deg)
    return figures


def _read_marks(section: bytes | None) -> BeatMarks | None:
    """Onsets and offsets of section 7's first block, in ms from the reference beat's start."""
    if section is None or len(section) < 16:
        return None
    names = ("p_onset", "p_offset", "qrs_onset", "qrs_offset", "t_end")
    values = struct.unpack_from("<5H", section, 6)
    return place_marks(
        {
            name: None if value == _NOT_MEASURED else float(value)
            for name, value in zip(names, values, strict=True)
        }
    )
