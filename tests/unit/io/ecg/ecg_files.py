"""Writers of ECG files for the tests: small, written from the formats, easy to spoil."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from ptacl_core.io.ecg.scp.sections import compute_crc
from ptacl_core.records import LEAD_NAMES

RATE_HZ = 500
STEP_UV = 5
SCP_CODES = {"I": 1, "II": 2, "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 7, "V6": 8}
SCP_CODES |= {"III": 61, "aVR": 62, "aVL": 63, "aVF": 64}
PATIENT = "Zebulon-Quux-7781"
"""A name planted wherever a format has room for one; no message may repeat it."""


def make_steps(num_samples: int = 1000, seed: int = 0) -> np.ndarray:
    """A 12-lead ECG in even steps of 5 uV, int64 [12, sample], obeying Einthoven exactly."""
    generator = np.random.default_rng(seed)
    time_s = np.arange(num_samples) / RATE_HZ
    beat = np.exp(-(((time_s % 0.8) - 0.3) ** 2) / 0.0004)
    wave = np.exp(-(((time_s % 0.8) - 0.55) ** 2) / 0.004)
    rows = {}
    for lead in ("I", "II", *LEAD_NAMES[6:]):
        gain, tail = generator.uniform(80, 300), generator.uniform(20, 60)
        noise = generator.normal(0, 2, num_samples)
        rows[lead] = 4 * np.rint((gain * beat + tail * wave + noise) / 4).astype(np.int64)
    one, two = rows["I"], rows["II"]
    rows |= {"III": two - one, "aVR": -(one + two) // 2}
    rows |= {"aVL": one - two // 2, "aVF": two - one // 2}
    return np.stack([rows[lead] for lead in LEAD_NAMES])


def to_mv(steps: np.ndarray) -> np.ndarray:
    return (steps * (STEP_UV / 1000)).astype(np.float32)


# WFDB -----------------------------------------------------------------------------------------


def pack_samples(frames: np.ndarray, sample_format: int) -> bytes:
    """Interleaved samples [frame, signal] in a WFDB storage format."""
    flat = frames.reshape(-1).astype(np.int64)
    if sample_format == 212:
        flat = np.concatenate([flat, np.zeros(len(flat) % 2, np.int64)]) & 0xFFF
        first, second = flat[0::2], flat[1::2]
        middle = (first >> 8) | ((second >> 8) << 4)
        packed = np.stack([first & 0xFF, middle, second & 0xFF], axis=1)
        return packed.astype(np.uint8).tobytes()
    if sample_format in {310, 311}:
        groups = np.pad(flat, (0, -len(flat) % 3)).reshape(-1, 3) & 0x3FF
        first, second, third = groups.T
        if sample_format == 310:
            words = [first << 1 | (third & 0x1F) << 11, second << 1 | third >> 5 << 11]
            return np.stack(words, axis=1).astype("<u2").tobytes()
        return (first | second << 10 | third << 20).astype("<u4").tobytes()
    if sample_format == 24:
        return flat.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    if sample_format == 80:
        return (flat + 128).astype(np.uint8).tobytes()
    if sample_format == 160:
        return (flat + 32768).astype("<u2").tobytes()
    return flat.astype({16: "<i2", 32: "<i4", 61: ">i2"}[sample_format]).tobytes()


def write_wfdb(
    folder: Path,
    steps: np.ndarray,
    *,
    name: str = "rec",
    labels: Sequence[str] = LEAD_NAMES,
    coding: str = "16",
    gain: str = "200(0)/mV",
    rate: str = str(RATE_HZ),
    num_samples: str | None = None,
    extension: str = "dat",
    head: bytes = b"",
) -> Path:
    """One record with one signal file; returns the header."""
    num_signals, length = steps.shape
    sample_format = int(
        coding.split("x", maxsplit=1)[0].split(":", maxsplit=1)[0].split("+", maxsplit=1)[0]
    )
    lines = [f"{name} {num_signals} {rate} {length if num_samples is None else num_samples}"]
    for label, row in zip(labels, steps, strict=True):
        checksum = int(row.sum()) % 65536
        checksum -= 65536 if checksum > 32767 else 0
        lines.append(
            f"{name}.{extension} {coding} {gain} 16 0 {row[0]} {checksum} 0 {label}".rstrip()
        )
    lines.append(f"# <patient>: {PATIENT}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.{extension}").write_bytes(head + pack_samples(steps.T, sample_format))
    header = folder / f"{name}.hea"
    header.write_text("\n".join(lines) + "\n")
    return header


# SCP-ECG --------------------------------------------------------------------------------------


def scp_bytes(
    steps: np.ndarray,
    *,
    codes: Sequence[int] | None = None,
    order: int = 2,
    table: bytes | None = struct.pack("<H", 19999),
    flags: int = 0b1100100,
    bimodal: int = 0,
    nanovolts: int = 5000,
    interval_us: int = 2000,
    extents: Sequence[tuple[int, int]] | None = None,
    without: Sequence[int] = (),
) -> bytes:
    """An SCP-ECG record with sections 0, 1, 2 (unless `table` is None), 3 and 6."""
    codes = codes if codes is not None else [SCP_CODES[lead] for lead in LEAD_NAMES]
    extents = extents if extents is not None else [(1, steps.shape[1])] * len(steps)
    section_3 = struct.pack("<BB", len(codes), flags)
    for code, (start, end) in zip(codes, extents, strict=True):
        section_3 += struct.pack("<IIB", start, end, code)
    streams = []
    for row in steps:
        differences = row.astype(np.int64).copy()
        for _ in range(order):
            differences[1:] = np.diff(differences)
        if order == 2:  # the second value is a sample, not a difference
            differences[1] = row[1]
        stream = _huffman(differences) if table is not None else differences.astype("<i2").tobytes()
        streams.append(stream + b"\0" * (len(stream) % 2))
    section_6 = struct.pack("<HHBB", nanovolts, interval_us, order, bimodal)
    section_6 += struct.pack(f"<{len(streams)}H", *map(len, streams)) + b"".join(streams)
    section_1 = struct.pack("<BH", 2, len(PATIENT) + 1) + PATIENT.encode() + b"\0"
    section_1 += struct.pack("<BH", 255, 0)
    bodies = {1: section_1, 2: table, 3: section_3, 6: section_6}
    return scp_file({k: v for k, v in bodies.items() if v is not None and k not in without})


def scp_file(bodies: dict[int, bytes]) -> bytes:
    """A file of sections with their pointers, lengths and checksums."""
    section_0_bytes = 16 + 12 * 10
    position = 7 + section_0_bytes
    pointers, stored = b"", b""
    for number in range(12):
        body = bodies.get(number)
        if number == 0:
            pointers += struct.pack("<HII", 0, section_0_bytes, 7)
        elif body is None:
            pointers += struct.pack("<HII", number, 0, 0)
        else:
            section = _scp_section(number, body)
            pointers += struct.pack("<HII", number, len(section), position)
            position += len(section)
            stored += section
    body = _scp_section(0, pointers, reserved=b"SCPECG") + stored
    body = struct.pack("<I", len(body) + 6) + body
    return struct.pack("<H", compute_crc(body)) + body


def _scp_section(number: int, body: bytes, reserved: bytes = b"\0" * 6) -> bytes:
    body = body + b"\0" * (len(body) % 2)
    rest = struct.pack("<HIBB", number, 16 + len(body), 20, 20) + reserved + body
    return struct.pack("<H", compute_crc(rest)) + rest


def _huffman(values: np.ndarray) -> bytes:
    words = []
    for value in values.tolist():
        if value == 0:
            words.append("0")
        elif abs(value) <= 8:
            words.append("1" * abs(value) + "0" + ("1" if value < 0 else "0"))
        elif -128 <= value < 128:
            words.append("1" * 9 + "0" + format(value & 0xFF, "08b"))
        else:
            words.append("1" * 9 + "1" + format(value & 0xFFFF, "016b"))
    bits = "".join(words)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def default_table_spelt_out() -> bytes:
    """The default Huffman table as section 2 would hold it if it were a table of its own."""
    codes = [(1, 1, 0, 0)]
    base = 1
    for magnitude in range(1, 9):
        length = magnitude + 2
        codes.append((length, length, magnitude, base))
        codes.append((length, length, -magnitude, base | 1 << (length - 1)))
        base = base << 1 | 1
    codes += [(10, 18, 0, 511), (10, 26, 0, 1023)]
    table = struct.pack("<HH", 1, len(codes))
    for prefix, total, value, base in codes:
        table += struct.pack("<BBBhI", prefix, total, 1, value, base)
    return table


# EDF ------------------------------------------------------------------------------------------


def edf_bytes(
    steps: np.ndarray,
    *,
    labels: Sequence[str] | None = None,
    units: str = "uV",
    per_record: int = RATE_HZ,
    record_s: str = "1",
    num_records: str | None = None,
    reserved: str = "",
    physical: tuple[str, str] = ("-163840", "163835"),
    digital: tuple[str, str] = ("-32768", "32767"),
    num_signals: str | None = None,
    header_bytes: str | None = None,
    annotations: bool = False,
) -> bytes:
    """An EDF file; the default ranges make one step 5 uV."""
    names = list(labels) if labels is not None else [f"ECG {lead}" for lead in LEAD_NAMES]
    counts = [per_record] * len(names)
    if annotations:
        names, counts = [*names, "EDF Annotations"], [*counts, 10]
    total = len(names)
    records = steps.shape[1] // per_record

    def column(values: Sequence[str], width: int) -> str:
        return "".join(value[:width].ljust(width) for value in values)

    header = "0".ljust(8) + f"X X X {PATIENT}".ljust(80) + "Startdate X X X X".ljust(80)
    header += "01.01.20" + "00.00.00" + str(header_bytes or 256 * (total + 1)).ljust(8)
    header += reserved.ljust(44) + str(num_records or records).ljust(8) + record_s.ljust(8)
    header += str(num_signals or total).ljust(4)
    header += column(names, 16) + column([""] * total, 80)
    header += column([units if name != "EDF Annotations" else "" for name in names], 8)
    for value in (*physical, *digital):
        plain = [value if name != "EDF Annotations" else "-1" for name in names]
        if value in (physical[1], digital[1]):
            plain = [value if name != "EDF Annotations" else "1" for name in names]
        header += column(plain, 8)
    header += column([""] * total, 80) + column([str(count) for count in counts], 8)
    header += column([""] * total, 32)
    data = b""
    for record in range(records):
        block = steps[:, record * per_record : (record + 1) * per_record]
        data += block.astype("<i2").tobytes()
        if annotations:
            data += f"+{record}\x14\x14".encode().ljust(20, b"\0")
    return header.encode("latin-1") + data


# DICOM ----------------------------------------------------------------------------------------


def dicom_dataset(groups: Sequence[dict]) -> Dataset:
    """A 12-lead ECG object; each group: steps, and optionally labels, rate, derived, swaps."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import (
        ExplicitVRLittleEndian,
        TwelveLeadECGWaveformStorage,
        generate_uid,
    )

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = TwelveLeadECGWaveformStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
    dataset.Modality = "ECG"
    dataset.PatientName = PATIENT
    dataset.WaveformSequence = [_dicom_group(**group) for group in groups]
    return dataset


def _dicom_group(
    steps: np.ndarray,
    labels: Sequence[str] = LEAD_NAMES,
    rate: float = RATE_HZ,
    *,
    derived: bool = False,
    unit: str | None = "uV",
    sensitivity: str | None = str(STEP_UV),
    padding: int | None = None,
    baseline: str = "0",
    skew: float | None = None,
    interpretation: str = "SS",
    dtype: str = "<i2",
    bits: int = 16,
    claimed_samples: int | None = None,
    by_code: bool = True,
) -> object:

    group = Dataset()
    group.WaveformOriginality = "DERIVED" if derived else "ORIGINAL"
    group.MultiplexGroupLabel = "MEDIAN BEAT" if derived else "RHYTHM"
    group.NumberOfWaveformChannels = len(labels)
    group.NumberOfWaveformSamples = claimed_samples or steps.shape[1]
    group.SamplingFrequency = str(rate)
    group.WaveformBitsAllocated = bits
    group.WaveformSampleInterpretation = interpretation
    definitions = []
    for label in labels:
        source = Dataset()
        source.CodeValue = f"5.6.3-9-{SCP_CODES[label]}" if by_code and label in SCP_CODES else "X"
        source.CodingSchemeDesignator = "SCPECG"
        source.CodeMeaning = f"Lead {label}"
        definition = Dataset()
        definition.ChannelSourceSequence = [source]
        definition.WaveformBitsStored = bits
        if sensitivity is not None:
            definition.ChannelSensitivity = sensitivity
            definition.ChannelSensitivityCorrectionFactor = "1"
            definition.ChannelBaseline = baseline
        if unit is not None:
            units = Dataset()
            units.CodeValue = unit
            units.CodingSchemeDesignator = "UCUM"
            units.CodeMeaning = unit
            definition.ChannelSensitivityUnitsSequence = [units]
        if skew is not None:
            definition.ChannelSampleSkew = f"{skew * len(definitions):.3f}"
        definitions.append(definition)
    group.ChannelDefinitionSequence = definitions
    if padding is not None:
        group.add_new("WaveformPaddingValue", "OW", struct.pack("<h", padding))
    group.add_new("WaveformData", "OW", steps.T.astype(dtype).tobytes())
    return group


def write_dicom(path: Path, dataset: Dataset) -> Path:
    from pydicom import dcmwrite

    dcmwrite(path, dataset, enforce_file_format=True)
    return path


# Tables and sidecars --------------------------------------------------------------------------


def csv_text(
    values: np.ndarray,
    *,
    names: Sequence[str] | None = LEAD_NAMES,
    separator: str = ",",
    decimal: str = ".",
    time_name: str | None = None,
    rate: float = RATE_HZ,
) -> str:
    """A column per lead, optionally after a column of times in seconds."""
    header = list(names) if names is not None else []
    lines = []
    if names is not None:
        lines.append(separator.join(([time_name] if time_name else []) + header))
    for index, row in enumerate(values.T):
        cells = [f"{value:.6g}" for value in row]
        if time_name:
            cells = [f"{index / rate:.6f}", *cells]
        lines.append(separator.join(cell.replace(".", decimal) for cell in cells))
    return "\n".join(lines) + "\n"


def write_sidecar(path: Path, **facts: object) -> Path:
    sidecar = path.with_name(f"{path.name}.json")
    sidecar.write_text(json.dumps(facts))
    return sidecar
