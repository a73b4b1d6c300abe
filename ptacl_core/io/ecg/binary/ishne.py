"""ISHNE Holter files of 12 leads: a fixed header, then interleaved 16-bit samples.

Layout: Badilini, ISHNE Holter Standard Output File Format, 1998.
"""

import struct
from pathlib import Path

import numpy as np

from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.ecg.assembly import Channel, Recording, assemble_ecg, check_extent, require_leads
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.person_facts import build_person, years_between
from ptacl_core.io.files.bounded_file import read_bytes, shown_name
from ptacl_core.records import LEAD_NAMES, EcgRecord, Person

MAGIC = b"ISHNE1.0"
_HEADER_BYTES = 522
_MAX_LEADS = 12
_LEADS = dict(enumerate(LEAD_NAMES, start=5))
"""Lead codes: 5 I … 7 III, 8 aVR … 10 aVF, 11 V1 … 16 V6."""
_NO_SAMPLE = -32768


def read_ishne_ecg(path: Path, _hints: EcgHints) -> EcgRecord:
    """The 12 leads of an ISHNE file, however long.

    Raises UnsupportedFormatError for Holters of fewer leads, UnreadableFileError where header and
    size disagree.
    """
    name = shown_name(path)
    data = read_bytes(path)
    if len(data) < _HEADER_BYTES:
        raise UnreadableFileError(f"{name}: the ISHNE header is cut short; copy the file again")
    (start,) = struct.unpack_from("<i", data, 22)
    num_leads, *codes = struct.unpack_from(f"<h{_MAX_LEADS}h", data, 156)
    nanovolts = struct.unpack_from(f"<{_MAX_LEADS}h", data, 206)
    (rate_hz,) = struct.unpack_from("<h", data, 272)
    if not 1 <= num_leads <= _MAX_LEADS or not _HEADER_BYTES <= start < len(data):
        raise UnreadableFileError(f"{name}: the ISHNE header is damaged; copy the file again")
    labels = [_LEADS.get(code, "") for code in codes[:num_leads]]
    require_leads(name, labels)
    samples = np.frombuffer(data, "<i2", (len(data) - start) // (2 * num_leads) * num_leads, start)
    samples = samples.reshape(-1, num_leads)
    check_extent(name, num_samples=len(samples), sampling_rate_hz=float(rate_hz))
    if min(nanovolts[:num_leads]) <= 0:
        raise UnsupportedFormatError(f"{name}: the ISHNE header states no amplitude resolution")
    channels = [
        Channel(label, samples[:, at], nanovolts[at] / 1e6, missing_values=(_NO_SAMPLE,))
        for at, label in enumerate(labels)
    ]
    return assemble_ecg(
        Recording(name, "ishne", float(rate_hz), channels, person=_read_person(data))
    )


def _read_person(data: bytes) -> Person:
    (sex,) = struct.unpack_from("<h", data, 128)
    born, recorded = (struct.unpack_from("<3h", data, at) for at in (132, 138))
    age = years_between((born[2], born[1], born[0]), (recorded[2], recorded[1], recorded[0]))
    return build_person(sex=sex, age_years=age)
