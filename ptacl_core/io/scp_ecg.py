"""SCP-ECG (EN 1064): sections, checksums and the rhythm of section 6."""

import binascii
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.bounded_file import read_bytes, shown_name
from ptacl_core.io.ecg_assembly import Channel, Recording, assemble_ecg, check_extent, require_leads
from ptacl_core.io.ecg_hints import EcgHints
from ptacl_core.io.leads import LEAD_CODES
from ptacl_core.io.scp_huffman import DEFAULT_TABLE, HuffmanCode, decode_samples, read_table
from ptacl_core.records import EcgRecord, Finding

_MAX_SCP_BYTES = 16 * 1024**2
_MAX_SAMPLES = 20_000_000
"""All leads together: Huffman codes are decoded symbol by symbol."""
_SECTION_HEAD = 16
_DEFAULT_TABLE_COUNT = 19999
_NOT_MEASURED = 29999


@dataclass(frozen=True, slots=True)
class _Lead:
    label: str
    num_samples: int
    start: int


def read_scp_ecg(path: Path, _hints: EcgHints) -> EcgRecord:
    """The rhythm of section 6: plain or Huffman-coded, as samples, first or second differences.

    Refused in words (UnsupportedFormatError): reference-beat subtraction and bimodal coding,
    which need sections 4 and 5 to undo, leads that are not simultaneous, switched Huffman
    tables. UnreadableFileError: lengths or checksums of the sections used that disagree.
    """
    name = shown_name(path)
    data = read_bytes(path, max_bytes=_MAX_SCP_BYTES)
    findings: list[Finding] = []
    sections = _read_sections(data, name, findings)
    if 6 not in sections or 3 not in sections:
        held = "only a reference beat" if 5 in sections else "none"
        raise UnsupportedFormatError(
            f"{name}: expected rhythm data (SCP sections 3 and 6), found {held}"
        )
    leads = _read_leads(sections[3], name)
    require_leads(name, [lead.label for lead in leads])
    with _short_reads(name, "section 6"):
        nanovolts, interval_us, order, bimodal = struct.unpack_from("<HHBB", sections[6])
        lengths = struct.unpack_from(f"<{len(leads)}H", sections[6], 6)
    if bimodal:
        raise UnsupportedFormatError(
            f"{name}: bimodally compressed SCP rhythm data are not read; export it uncompressed"
        )
    if nanovolts == 0 or interval_us == 0 or order > 2:
        raise UnreadableFileError(
            f"{name}: section 6 states {nanovolts} nV per step, {interval_us} us per sample and "
            f"difference order {order}; it is damaged"
        )
    rate_hz = round(1e6 / interval_us, 6)
    check_extent(name, num_samples=leads[0].num_samples, sampling_rate_hz=rate_hz)
    table = _read_huffman(sections.get(2), name)
    channels = [
        Channel(lead.label, samples, nanovolts / 1e6)
        for lead, samples in zip(
            leads,
            _read_samples(sections[6], leads, lengths, table, order=order, name=name),
            strict=True,
        )
    ]
    figures = _read_measurements(sections.get(7))
    return assemble_ecg(Recording(name, "scp", rate_hz, channels, findings, None, figures))


@contextmanager
def _short_reads(name: str, where: str) -> Iterator[None]:
    """Turn a read past the end of a section into an error in words."""
    try:
        yield
    except struct.error as error:
        raise UnreadableFileError(
            f"{name}: {where} is cut short; copy or export the file again"
        ) from error


def _read_sections(data: bytes, name: str, findings: list[Finding]) -> dict[int, bytes]:
    """Bodies of the sections present, by number, checked for extent and checksum."""
    with _short_reads(name, "the file header"):
        stored_crc, length = struct.unpack_from("<HI", data)
    if length != len(data):
        raise UnreadableFileError(
            f"{name}: the SCP header states {length} bytes, the file has {len(data)}; it is cut "
            "short or changed"
        )
    if compute_crc(data[2:]) != stored_crc:
        findings.append(
            Finding("checksum_mismatch", "warning", "the file's checksum does not hold")
        )
    with _short_reads(name, "section 0"):
        (pointer_bytes,) = struct.unpack_from("<I", data, 6 + 4)
    if not _SECTION_HEAD < pointer_bytes <= len(data) - 6:
        raise UnreadableFileError(f"{name}: the section list (SCP section 0) is damaged")
    sections: dict[int, bytes] = {}
    for entry in range(6 + _SECTION_HEAD, 6 + pointer_bytes - 9, 10):
        number, size, start = struct.unpack_from("<HII", data, entry)
        if size == 0 or number == 0:
            continue
        body = data[start - 1 : start - 1 + size] if start > 0 else b""
        if size < _SECTION_HEAD or len(body) != size:
            raise UnreadableFileError(
                f"{name}: SCP section {number} should have {size} bytes from byte {start}, beyond "
                f"the file's {len(data)}; it is damaged"
            )
        _check_section(body, number, name)
        sections.setdefault(number, body[_SECTION_HEAD:])
    return sections


def _check_section(body: bytes, number: int, name: str) -> None:
    stored_crc, stored_number = struct.unpack_from("<HH", body)
    if stored_number != number:
        raise UnreadableFileError(
            f"{name}: expected SCP section {number}, found {stored_number} in its place; the file "
            "is damaged"
        )
    if number in {2, 3, 6} and stored_crc and compute_crc(body[2:]) != stored_crc:
        raise UnreadableFileError(
            f"{name}: the checksum of SCP section {number} does not hold; the file is damaged"
        )


def compute_crc(data: bytes) -> int:
    """CRC-CCITT of SCP-ECG (polynomial 0x1021, initial value 0xFFFF)."""
    return binascii.crc_hqx(data, 0xFFFF)


def _read_leads(section: bytes, name: str) -> list[_Lead]:
    with _short_reads(name, "section 3"):
        count, flags = struct.unpack_from("<BB", section)
        entries = [struct.unpack_from("<IIB", section, 2 + 9 * index) for index in range(count)]
    if flags & 1:
        raise UnsupportedFormatError(
            f"{name}: SCP rhythm data with the reference beat subtracted are not read; export it "
            "without compression"
        )
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
    return leads


def _read_huffman(section: bytes | None, name: str) -> list[HuffmanCode] | None:
    """The table of section 2; None: samples are plain 16-bit integers."""
    if section is None:
        return None
    with _short_reads(name, "section 2"):
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
    section: bytes,
    leads: list[_Lead],
    lengths: tuple[int, ...],
    table: list[HuffmanCode] | None,
    *,
    order: int,
    name: str,
) -> list[Array]:
    position = 6 + 2 * len(leads)
    samples: list[Array] = []
    for lead, length in zip(leads, lengths, strict=True):
        stored = section[position : position + length]
        position += length
        if len(stored) != length:
            raise UnreadableFileError(
                f"{name}: SCP section 6 ends within lead {len(samples) + 1} of {len(leads)}"
            )
        if table is None:
            differences = np.frombuffer(stored[: len(stored) // 2 * 2], "<i2").astype(np.int64)
        else:
            differences = decode_samples(stored, table, count=lead.num_samples)
        if len(differences) < lead.num_samples:
            raise UnreadableFileError(
                f"{name}: SCP section 3 states {lead.num_samples} samples per lead, lead "
                f"{len(samples) + 1} of section 6 holds {len(differences)}"
            )
        samples.append(_integrate(differences[: lead.num_samples], order))
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
