"""Bad files of every format: each is refused by name, with what was expected and what to do.

A case builds one bad file and names the error and the words that its message must hold.
"""

import json
import os
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ptacl_core.errors import (
    ConfigError,
    MissingUnitError,
    PtaclError,
    UnreadableFileError,
    UnsupportedFormatError,
)
from ptacl_core.records import LEAD_NAMES

FACTS = {"lead_names": LEAD_NAMES, "unit": "mV", "sampling_rate_hz": 500}
UNREADABLE, UNSUPPORTED, UNIT = UnreadableFileError, UnsupportedFormatError, MissingUnitError


@dataclass(frozen=True)
class Workshop:
    """What a case builds with: the writers, the real samples, a folder of its own."""

    files: ModuleType
    samples: Path
    folder: Path

    def steps(self, num_samples: int = 400) -> np.ndarray:
        return self.files.make_steps(num_samples)

    def save(self, name: str, data: bytes | str) -> Path:
        path = self.folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def sample(self, name: str, change: Callable[[bytes], bytes]) -> Path:
        """A real sample with its bytes changed."""
        return self.save(name, change((self.samples / name).read_bytes()))

    def swapped(self, name: str, old: str, new: str, encoding: str = "utf-8") -> Path:
        """A real sample with a piece of text replaced."""
        data = (self.samples / name).read_bytes()
        assert old.encode(encoding) in data
        return self.save(name, data.replace(old.encode(encoding), new.encode(encoding)))

    def wfdb(self, old: str = "", new: str = "", **options: Any) -> Path:
        """A WFDB record with a piece of its header replaced."""
        header = self.files.write_wfdb(self.folder, self.steps(), **options)
        text = header.read_text()
        assert old in text
        header.write_text(text.replace(old, new))
        return header

    def dicom(self, *groups: dict[str, Any], **attributes: Any) -> Path:
        dataset = self.files.dicom_dataset([{"steps": self.steps()} | group for group in groups])
        for name, value in attributes.items():
            setattr(dataset.WaveformSequence[0], name, value)
        return self.files.write_dicom(self.folder / "a.dcm", dataset)

    def edf(self, **options: Any) -> Path:
        return self.save("a.edf", self.files.edf_bytes(self.steps(1000), **options))

    def scp(self, **options: Any) -> Path:
        return self.save("a.scp", self.files.scp_bytes(self.steps(), **options))

    def npy(self, array: np.ndarray) -> Path:
        path = self.folder / "a.npy"
        np.save(path, array, allow_pickle=True)
        return path


@dataclass(frozen=True)
class Case:
    name: str
    build: Callable[[Workshop], Path]
    error: type[PtaclError]
    words: tuple[str, ...]
    hints: dict[str, Any] = field(default_factory=dict)


def npy_claiming(shape: str, descr: str = "'<f4'") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(400)


def deflated_dicom(shop: Workshop) -> Path:
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    dataset = shop.files.dicom_dataset([{"steps": shop.steps()}])
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return shop.files.write_dicom(shop.folder / "a.dcm", dataset)


def dicom_without_waveform(shop: Workshop, sop_class: str, modality: str) -> Path:
    dataset = shop.files.dicom_dataset([{"steps": shop.steps()}])
    del dataset.WaveformSequence
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.Modality = modality
    dataset.add_new("EncapsulatedDocument", "OB", b"%PDF")
    return shop.files.write_dicom(shop.folder / "a.dcm", dataset)


def split_dicom(shop: Workshop) -> Path:
    """Four groups of three leads, 2.5 s each, as some carts store a printed page."""
    rows = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11)]
    return shop.dicom(
        *[
            {"steps": shop.steps(1250)[list(group)], "labels": [LEAD_NAMES[row] for row in group]}
            for group in rows
        ]
    )


def scp_with(shop: Workshop, position: int, new: bytes, *, mend: bool = False) -> Path:
    data = bytearray(shop.files.scp_bytes(shop.steps()))
    data[position : position + len(new)] = new
    if mend:
        data[:2] = struct.pack("<H", shop.files.compute_crc(bytes(data[2:])))
    return shop.save("a.scp", bytes(data))


def scp_section_start(shop: Workshop, number: int) -> int:
    """Offset of a section in the file that `scp_with` changes."""
    data = shop.files.scp_bytes(shop.steps())
    return struct.unpack_from("<I", data, 22 + 10 * number + 6)[0] - 1


def truncated(shop: Workshop, name: str, keep: float) -> Path:
    return shop.sample(name, lambda data: data[: int(len(data) * keep)])


def zip_of(shop: Workshop, name: str, members: dict[str, bytes]) -> Path:
    path = shop.folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return path


def sparse(shop: Workshop, name: str, head: bytes, size: int) -> Path:
    path = shop.save(name, head)
    os.truncate(path, size)
    return path


def fifo(shop: Workshop) -> Path:
    path = shop.folder / "pipe.dat"
    os.mkfifo(path)
    return path


def csv_of(shop: Workshop, change: Callable[[list[str]], list[str]], **options: Any) -> Path:
    lines = shop.files.csv_text(shop.steps() * 0.005, **options).splitlines()
    return shop.save("a.csv", "\n".join(change(lines)))


def parquet_of(shop: Workshop, columns: dict[str, Any], metadata: Any = None) -> Path:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table(columns)
    path = shop.folder / "a.parquet"
    parquet.write_table(table.replace_schema_metadata(metadata) if metadata else table, path)
    return path


def hdf5_of(shop: Workshop, build: Callable[[Any, Any], None]) -> Path:
    h5py = pytest.importorskip("h5py")
    path = shop.folder / "a.h5"
    with h5py.File(path, "w") as file:
        build(file, h5py)
    return path


def with_sidecar(shop: Workshop, text: str) -> Path:
    path = shop.npy(shop.steps() * 0.005)
    shop.save("a.npy.json", text)
    return path


PATHS = [
    Case("missing", lambda s: s.folder / "no.hea", UNREADABLE, ("no.hea", "no such file")),
    Case("missing stem", lambda s: s.folder / "no", UNREADABLE, ("no such file",)),
    Case("folder", lambda s: s.folder, UNREADABLE, ("expected a file, found a folder",)),
    Case("empty", lambda s: s.save("a.xml", b""), UNREADABLE, ("a.xml", "empty (0 bytes)")),
    Case("empty header", lambda s: s.save("a.hea", b""), UNREADABLE, ("a.hea", "empty")),
    Case("null byte in the path", lambda s: s.folder / "a\0b", UNREADABLE, ("a␀b", "no such")),
    Case("endless name", lambda s: s.folder / ("a" * 5000), UNREADABLE, ("path cannot be used",)),
    Case("pipe", fifo, UNREADABLE, ("pipe.dat", "regular file")),
    Case("device", lambda s: Path("/dev/zero"), UNREADABLE, ("zero", "regular file")),
    Case("too big", lambda s: sparse(s, "a.dcm", b"", 600 * 2**20), UNSUPPORTED, ("600 MB", "512")),
    Case(
        "too big text",
        lambda s: sparse(s, "a.csv", b"1,2\n" * 20_000, 300 * 2**20),
        UNSUPPORTED,
        ("300 MB", "256 MB"),
    ),
    Case("escape in the name", lambda s: s.save("a\x1b]0;x.xml", b""), UNREADABLE, ("a␛]0;x.xml",)),
]

KINDS = [
    Case(
        "text as dat",
        lambda s: s.save("a.dat", "Dear colleague\n" * 9),
        UNSUPPORTED,
        ("a.dat", "plain text"),
    ),
    Case(
        "samples without header",
        lambda s: s.save("a.dat", bytes(range(256)) * 9),
        UNSUPPORTED,
        ("WFDB header a.hea",),
    ),
    Case(
        "mat without header",
        lambda s: s.save("a.mat", b"\x14" + bytes(99)),
        UNSUPPORTED,
        ("a.hea",),
    ),
    Case("pdf", lambda s: s.save("a.pdf", b"%PDF-1.7 \x00"), UNSUPPORTED, ("PDF", "picture")),
    Case("png", lambda s: s.save("a.dcm", b"\x89PNG\r\n\x1a\n\0\0"), UNSUPPORTED, ("a picture",)),
    Case("jpeg", lambda s: s.save("a.jpg", b"\xff\xd8\xff\xe0\0"), UNSUPPORTED, ("a picture",)),
    Case("gzip", lambda s: s.save("a.xml.gz", b"\x1f\x8b\x08\x00"), UNSUPPORTED, ("unpack it",)),
    Case("zip", lambda s: zip_of(s, "a.zip", {"x.dcm": b"1"}), UNSUPPORTED, ("ZIP archive",)),
    Case("pickle", lambda s: s.save("a.pkl", b"\x80\x04\x95\0\0"), UNSUPPORTED, ("pickle", "code")),
    Case(
        "matlab 5",
        lambda s: s.save("a.mat", b"MATLAB 5.0 MAT-file" + bytes(200)),
        UNSUPPORTED,
        ("MATLAB 5",),
    ),
    Case("ishne", lambda s: s.save("a.ecg", b"ISHNE1.0" + bytes(600)), UNSUPPORTED, ("ISHNE",)),
    Case("bdf", lambda s: s.save("a.bdf", b"\xffBIOSEMI" + bytes(600)), UNSUPPORTED, ("BDF",)),
    Case(
        "random bytes",
        lambda s: s.save("a.bin", np.random.default_rng(0).bytes(999)),
        UNSUPPORTED,
        ("no known ECG format", "WFDB, DICOM"),
    ),
    Case(
        "html",
        lambda s: s.save("a.xml", "<html><body/></html>"),
        UNSUPPORTED,
        ("found root 'html'", "RestingECG"),
    ),
    Case("script root", lambda s: s.save("a.xml", "<a\u202eb>x</a>"), UNSUPPORTED, ("root",)),
]

XML = [
    Case(
        "billion laughs",
        lambda s: s.save(
            "a.xml",
            '<?xml version="1.0"?><!DOCTYPE RestingECG ['
            '<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><RestingECG>&b;</RestingECG>',
        ),
        UNSUPPORTED,
        ("entities", "never read"),
    ),
    Case(
        "external entity",
        lambda s: s.save(
            "a.xml",
            "<!DOCTYPE RestingECG [<!ENTITY x SYSTEM "
            '"file:///etc/passwd">]><RestingECG>&x;</RestingECG>',
        ),
        UNSUPPORTED,
        ("never read",),
    ),
    Case(
        "doctype elsewhere",
        lambda s: s.save("a.xml", '<!DOCTYPE CardiologyXML SYSTEM "x.dtd"><CardiologyXML/>'),
        UNSUPPORTED,
        ("document type",),
    ),
    Case(
        "depth bomb",
        lambda s: s.save("a.xml", "<CardiologyXML>" + "<a>" * 5000),
        UNSUPPORTED,
        ("nested deeper than 100",),
    ),
    Case(
        "element bomb",
        lambda s: s.save("a.xml", "<CardiologyXML>" + "<a/>" * 500_001),
        UNSUPPORTED,
        ("more than 500000 elements",),
    ),
    Case(
        "attribute bomb",
        lambda s: s.save("a.xml", "<CardiologyXML " + "b='c' " * 400_000),
        UNSUPPORTED,
        ("longer than 1 MB",),
    ),
    Case(
        "wrong encoding",
        lambda s: s.save(
            "a.xml", b'<?xml version="1.0" encoding="utf-8"?><RestingECG>\xff\xfe\x80</RestingECG>'
        ),
        UNREADABLE,
        ("damaged or cut short at line 1",),
    ),
    Case(
        "unknown encoding",
        lambda s: s.save("a.xml", '<?xml version="1.0" encoding="ebcdic-x"?><RestingECG/>'),
        UNREADABLE,
        ("encoding",),
    ),
    Case(
        "utf-16 said, utf-8 meant",
        lambda s: s.save("a.xml", '<?xml version="1.0" encoding="utf-16"?><RestingECG/>'),
        UNREADABLE,
        ("a.xml",),
    ),
    *[
        Case(
            f"{name} cut at {keep}",
            lambda s, n=name, k=keep: truncated(s, n, k),
            UNREADABLE,
            ("damaged or cut short at line",),
        )
        for name in (
            "HR06000_cardiosoft.xml",
            "HR06000_muse.xml",
            "hl7_Example_aECG.xml",
            "philips_1.04_demo.xml",
            "sierra_1.03_129DYPRG.xml",
        )
        for keep in (0.3, 0.95)
    ],
]

CARDIOSOFT = [
    Case(
        "exercise test",
        lambda s: s.save(
            "a.xml", s.files.cardiosoft_xml(s.steps()[:3], labels=("I", "2", "3"), num_leads="3")
        ),
        UNSUPPORTED,
        ("6025", "chest"),
    ),
    Case(
        "exercise by type",
        lambda s: s.save("a.xml", s.files.cardiosoft_xml(s.steps(), kind="ExerciseECG")),
        UNSUPPORTED,
        ("exercise test",),
    ),
    Case(
        "strips apart",
        lambda s: s.save(
            "a.xml",
            s.files.cardiosoft_xml(s.steps())
            .replace("<StripData>", "<StripData><Strip>")
            .replace("</StripData>", "</Strip></StripData>"),
        ),
        UNSUPPORTED,
        ("separate strips",),
    ),
    Case(
        "median only",
        lambda s: s.save(
            "a.xml", s.files.cardiosoft_xml(s.steps()).replace("StripData", "OtherData")
        ),
        UNSUPPORTED,
        ("only a median beat",),
    ),
    Case(
        "count too high",
        lambda s: s.save("a.xml", s.files.cardiosoft_xml(s.steps(), count="5000")),
        UNREADABLE,
        ("states 5000 samples", "holds 400"),
    ),
    Case(
        "lead count",
        lambda s: s.save("a.xml", s.files.cardiosoft_xml(s.steps(), num_leads="15")),
        UNREADABLE,
        ("states 15 leads", "holds 12"),
    ),
    Case(
        "no rate",
        lambda s: s.save("a.xml", s.files.cardiosoft_xml(s.steps(), rate="")),
        UNIT,
        ("sampling rate", "SampleRate"),
    ),
    Case(
        "zero rate",
        lambda s: s.save(
            "a.xml", s.files.cardiosoft_xml(s.steps(), rate="<SampleRate>0</SampleRate>")
        ),
        UNIT,
        ("sampling rate",),
    ),
    Case(
        "no resolution",
        lambda s: s.save("a.xml", s.files.cardiosoft_xml(s.steps(), resolution="")),
        UNIT,
        ("StripData/Resolution",),
    ),
    Case(
        "no unit",
        lambda s: s.save(
            "a.xml", s.files.cardiosoft_xml(s.steps(), resolution="<Resolution>5</Resolution>")
        ),
        UNIT,
        ("voltage unit", "unit="),
    ),
    Case(
        "resolution 0",
        lambda s: s.save(
            "a.xml",
            s.files.cardiosoft_xml(
                s.steps(), resolution='<Resolution units="uVperLsb">0</Resolution>'
            ),
        ),
        UNREADABLE,
        ("0 mV per step",),
    ),
    Case(
        "resolution huge",
        lambda s: s.save(
            "a.xml",
            s.files.cardiosoft_xml(
                s.steps(), resolution='<Resolution units="uVperLsb">1e300</Resolution>'
            ),
        ),
        UNREADABLE,
        ("exceeds every voltage",),
    ),
    Case(
        "words as samples",
        lambda s: s.swapped("HR06000_cardiosoft.xml", ",-12,", ",Quux,"),
        UNREADABLE,
        ("expected numbers", "lead"),
    ),
    Case(
        "gap in samples",
        lambda s: s.swapped("HR06000_cardiosoft.xml", ",-12,", ",,"),
        UNREADABLE,
        ("empty value",),
    ),
    Case(
        "eleven leads, V3 missing",
        lambda s: s.save(
            "a.xml",
            s.files.cardiosoft_xml(
                np.delete(s.steps(), 8, axis=0),
                labels=[n for n in LEAD_NAMES if n != "V3"],
                num_leads="11",
            ),
        ),
        UNSUPPORTED,
        ("missing: V3", "cannot be derived"),
    ),
    Case(
        "leads of unequal length",
        lambda s: s.save(
            "a.xml",
            s.files.cardiosoft_xml(s.steps(), count="").replace('lead="V6">\t', 'lead="V6">\t1,2,'),
        ),
        UNREADABLE,
        ("equal length", "samples"),
    ),
    Case(
        "rate 1e9",
        lambda s: s.save(
            "a.xml", s.files.cardiosoft_xml(s.steps(), rate="<SampleRate>1e9</SampleRate>")
        ),
        UNREADABLE,
        ("1e+09 Hz",),
    ),
]

MUSE = [
    Case(
        "median only",
        lambda s: s.save("a.xml", s.files.muse_of(s.steps(), rhythm_type="Median")),
        UNSUPPORTED,
        ("type Rhythm", "found 2"),
    ),
    Case(
        "base64 broken",
        lambda s: s.save(
            "a.xml", s.files.muse_of(s.steps()).replace("WaveFormData>\n", "WaveFormData>\n*")
        ),
        UNREADABLE,
        ("base64", "lead"),
    ),
    Case(
        "base64 cut",
        lambda s: s.save(
            "a.xml", s.files.muse_xml(s.files.muse_lead("I", s.steps()[0], data="AAA"))
        ),
        UNREADABLE,
        ("lead",),
    ),
    Case(
        "byte count",
        lambda s: s.save(
            "a.xml",
            s.files.muse_xml(s.files.muse_lead("I", s.steps()[0], bytes="10000"), num_leads=1),
        ),
        UNREADABLE,
        ("10000 bytes of lead I", "800"),
    ),
    Case(
        "sample count",
        lambda s: s.save(
            "a.xml",
            s.files.muse_xml(s.files.muse_lead("I", s.steps()[0], count="5000"), num_leads=1),
        ),
        UNREADABLE,
        ("5000 samples of lead I",),
    ),
    Case(
        "half a sample",
        lambda s: s.save(
            "a.xml",
            s.files.muse_xml(s.files.muse_lead("I", s.steps()[0], data="AAAA"), num_leads=1),
        ),
        UNREADABLE,
        ("half a sample",),
    ),
    Case(
        "lead count",
        lambda s: s.save(
            "a.xml",
            s.files.muse_of(s.steps()).replace(
                "<NumberofLeads>8</NumberofLeads><SampleBase>500</SampleBase><SampleExponent>0"
                "</SampleExponent><LeadData>",
                "<NumberofLeads>12</NumberofLeads><SampleBase>500"
                "</SampleBase><SampleExponent>0</SampleExponent><LeadData>",
            ),
        ),
        UNREADABLE,
        ("states 12 leads", "holds 8"),
    ),
    Case(
        "no unit",
        lambda s: s.save("a.xml", s.files.muse_of(s.steps()).replace("MICROVOLTS", "")),
        UNIT,
        ("LeadAmplitudeUnits",),
    ),
    Case(
        "foreign unit",
        lambda s: s.save("a.xml", s.files.muse_of(s.steps()).replace("MICROVOLTS", "FURLONGS")),
        UNIT,
        ("FURLONGS",),
    ),
    Case(
        "no units per bit",
        lambda s: s.save(
            "a.xml",
            s.files.muse_of(s.steps()).replace(
                ">5</LeadAmplitudeUnitsPerBit>", "></LeadAmplitudeUnitsPerBit>"
            ),
        ),
        UNIT,
        ("LeadAmplitudeUnitsPerBit",),
    ),
    Case(
        "four-byte samples",
        lambda s: s.save(
            "a.xml", s.files.muse_of(s.steps()).replace("<LeadSampleSize>2", "<LeadSampleSize>4")
        ),
        UNSUPPORTED,
        ("2 bytes",),
    ),
    Case(
        "no sample base",
        lambda s: s.save("a.xml", s.files.muse_of(s.steps(), base="")),
        UNIT,
        ("SampleBase",),
    ),
    Case(
        "wild exponent",
        lambda s: s.save("a.xml", s.files.muse_of(s.steps(), exponent="400")),
        UNREADABLE,
        ("SampleExponent",),
    ),
    Case(
        "limb lead missing",
        lambda s: s.save(
            "a.xml", s.files.muse_of(s.steps()).replace("<LeadID>II</LeadID>", "<LeadID>X</LeadID>")
        ),
        UNSUPPORTED,
        ("limb leads", "missing: I"),
    ),
]

AECG = [
    Case("no series", lambda s: s.save("a.xml", s.files.aecg_xml()), UNSUPPORTED, ("series",)),
    Case(
        "no time",
        lambda s: s.save(
            "a.xml", s.files.aecg_xml(s.files.aecg_series(s.steps(), time="<component/>"))
        ),
        UNIT,
        ("increment", "sampling_rate_hz="),
    ),
    Case(
        "time of no unit",
        lambda s: s.swapped(
            "hl7_Example_aECG.xml",
            '<increment value="0.002" unit="s"/>',
            '<increment value="0.002" unit="fortnight"/>',
        ),
        UNIT,
        ("increment",),
    ),
    Case(
        "negative time step",
        lambda s: s.swapped(
            "hl7_Example_aECG.xml",
            '<increment value="0.002" unit="s"/>',
            '<increment value="-0.002" unit="s"/>',
        ),
        UNIT,
        ("positive increment",),
    ),
    Case(
        "no scale",
        lambda s: s.swapped("hl7_Example_aECG.xml", '<scale value="2.5" unit="uV"/>', ""),
        UNIT,
        ("lead I scale",),
    ),
    Case(
        "scale of no unit",
        lambda s: s.swapped(
            "hl7_Example_aECG.xml", '<scale value="2.5" unit="uV"/>', '<scale value="2.5"/>'
        ),
        UNIT,
        ("lead I scale",),
    ),
    Case(
        "scale 0",
        lambda s: s.swapped(
            "hl7_Example_aECG.xml", '<scale value="2.5" unit="uV"/>', '<scale value="0" unit="uV"/>'
        ),
        UNREADABLE,
        ("0 mV per step",),
    ),
    Case(
        "words as digits",
        lambda s: s.save(
            "a.xml",
            s.files.aecg_xml(s.files.aecg_series(s.steps()).replace("<digits>", "<digits>Quux ")),
        ),
        UNREADABLE,
        ("lead I",),
    ),
    Case(
        "empty digits",
        lambda s: s.save(
            "a.xml", s.files.aecg_xml(s.files.aecg_series(np.zeros((12, 0), np.int64)))
        ),
        UNREADABLE,
        ("found 0 per lead",),
    ),
    Case(
        "series asked for is absent",
        lambda s: s.save("a.xml", s.files.aecg_xml(s.files.aecg_series(s.steps()))),
        UNSUPPORTED,
        ("record_index 4", "holds 1"),
        {"record_index": 4},
    ),
]

PHILIPS = [
    Case(
        "no waveforms",
        lambda s: s.save(
            "a.xml", s.files.philips_xml(s.steps()).replace("parsedwaveforms", "otherwaveforms")
        ),
        UNSUPPORTED,
        ("parsedwaveforms",),
    ),
    Case(
        "other encoding",
        lambda s: s.save("a.xml", s.files.philips_xml(s.steps(), encoding="Plain")),
        UNSUPPORTED,
        ("Base64",),
    ),
    Case(
        "other compression",
        lambda s: s.save("a.xml", s.files.philips_xml(s.steps(), compression='compression="HUFF"')),
        UNSUPPORTED,
        ("XLI",),
    ),
    Case(
        "no duration",
        lambda s: s.save("a.xml", s.files.philips_xml(s.steps(), duration="")),
        UNREADABLE,
        ("durationperchannel",),
    ),
    Case(
        "too few samples",
        lambda s: s.save("a.xml", s.files.philips_xml(s.steps(), duration="900")),
        UNREADABLE,
        ("need 10800 bytes", "found 9600"),
    ),
    Case(
        "year-long claim",
        lambda s: s.save("a.xml", s.files.philips_xml(s.steps(), duration="31536000000")),
        UNSUPPORTED,
        ("24 h",),
    ),
    Case(
        "long compressed claim",
        lambda s: s.swapped(
            "sierra_1.03_129DYPRG.xml", 'durationperchannel="11000"', 'durationperchannel="9000000"'
        ),
        UNSUPPORTED,
        ("compressed samples",),
    ),
    Case(
        "other duration",
        lambda s: s.swapped(
            "sierra_1.03_129DYPRG.xml", 'durationperchannel="11000"', 'durationperchannel="9000"'
        ),
        UNREADABLE,
        ("states 4500 samples", "or more"),
    ),
    Case(
        "longer duration",
        lambda s: s.swapped(
            "sierra_1.03_129DYPRG.xml", 'durationperchannel="11000"', 'durationperchannel="12000"'
        ),
        UNREADABLE,
        ("states 6000 samples", "hold 5500"),
    ),
    Case(
        "compressed data cut",
        lambda s: s.save(
            "a.xml",
            s.files.philips_xml(s.steps(), compression='compression="XLI"', data="zAkAAAEA"),
        ),
        UNREADABLE,
        ("lead 1 of 12", "cut short"),
    ),
    Case(
        "negative chunk size",
        lambda s: s.save(
            "a.xml",
            s.files.philips_xml(
                s.steps(), compression='compression="XLI"', data="/////wAAAAA" + "A" * 57
            ),
        ),
        UNREADABLE,
        ("lead 1 of 12",),
    ),
    Case(
        "no resolution",
        lambda s: s.save("a.xml", s.files.philips_xml(s.steps(), resolution="")),
        UNIT,
        ("resolution",),
    ),
    Case(
        "names too few",
        lambda s: s.save("a.xml", s.files.philips_xml(s.steps(), labels="I II")),
        UNREADABLE,
        ("states 12 leads and names 2",),
    ),
    Case(
        "no names, odd acquisition",
        lambda s: s.save(
            "a.xml", s.files.philips_xml(s.steps(), labels="").replace("STD-12", "EXT-15")
        ),
        UNSUPPORTED,
        ("12 named leads",),
    ),
    Case(
        "no rate",
        lambda s: s.save("a.xml", s.files.philips_xml(s.steps(), rate="fast")),
        UNIT,
        ("samplingrate",),
    ),
]

WFDB = [
    Case(
        "multi-segment", lambda s: s.wfdb("rec 12 ", "rec/4 12 "), UNSUPPORTED, ("multi-segment",)
    ),
    Case(
        "header of prose", lambda s: s.save("a.hea", "hello\nworld\n"), UNREADABLE, ("WFDB header",)
    ),
    Case(
        "only comments",
        lambda s: s.save("a.hea", "# Zebulon-Quux-7781\n"),
        UNREADABLE,
        ("WFDB header", "found none"),
    ),
    Case(
        "signal count is a word",
        lambda s: s.wfdb("rec 12 ", "rec twelve "),
        UNREADABLE,
        ("number of signals",),
    ),
    Case(
        "a billion signals",
        lambda s: s.wfdb("rec 12 ", "rec 1000000000 "),
        UNREADABLE,
        ("1000000000",),
    ),
    Case("no signals", lambda s: s.wfdb("rec 12 ", "rec 0 "), UNREADABLE, ("says 0",)),
    Case(
        "lines missing",
        lambda s: s.wfdb("rec 12 ", "rec 14 "),
        UNREADABLE,
        ("promises 14 signals", "describes 12"),
    ),
    Case(
        "rate is a word", lambda s: s.wfdb(" 500 400", " fast 400"), UNREADABLE, ("sampling rate",)
    ),
    Case("rate 0", lambda s: s.wfdb(" 500 400", " 0 400"), UNIT, ("sampling rate",)),
    Case("rate 1e300", lambda s: s.wfdb(" 500 400", " 1e300 400"), UNREADABLE, ("Hz",)),
    Case(
        "samples are a word",
        lambda s: s.wfdb(" 500 400", " 500 many"),
        UNREADABLE,
        ("number of samples",),
    ),
    Case(
        "a terasample", lambda s: s.wfdb(" 500 400", " 500 1000000000000"), UNSUPPORTED, ("24 h",)
    ),
    Case(
        "more samples than stored",
        lambda s: s.wfdb(" 500 400", " 500 401"),
        UNREADABLE,
        ("promises 401 samples", "holds 400"),
    ),
    Case(
        "no signal file",
        lambda s: s.wfdb("rec.dat", "gone.dat"),
        UNREADABLE,
        ("gone.dat", "no such file"),
    ),
    Case(
        "signal file elsewhere",
        lambda s: s.wfdb("rec.dat", "../rec.dat"),
        UNSUPPORTED,
        ("beside its header",),
    ),
    Case(
        "absolute signal file",
        lambda s: s.wfdb("rec.dat", "/etc/passwd"),
        UNSUPPORTED,
        ("beside its header",),
    ),
    Case(
        "signal file is a folder",
        lambda s: s.wfdb("rec.dat", ".."),
        UNSUPPORTED,
        ("beside its header",),
    ),
    Case("flac", lambda s: s.wfdb(" 16 200", " 516 200"), UNSUPPORTED, ("format 516", "212")),
    Case(
        "format is a word",
        lambda s: s.wfdb(" 16 200", " pcm 200"),
        UNREADABLE,
        ("storage format", "signal 1"),
    ),
    Case("gain is a word", lambda s: s.wfdb("200(0)/mV", "loud/mV"), UNREADABLE, ("gain",)),
    Case("unit is no voltage", lambda s: s.wfdb("200(0)/mV", "200(0)/mmHg"), UNIT, ("mmHg",)),
    Case("gain tiny", lambda s: s.wfdb("200(0)/mV", "1e-300(0)/mV"), UNREADABLE, ("voltage",)),
    Case(
        "offset beyond the file",
        lambda s: s.wfdb(" 16 ", " 16+99999 "),
        UNREADABLE,
        ("byte 99999", "9600 bytes"),
    ),
    Case(
        "empty signal file",
        lambda s: (s.wfdb(), s.save("rec.dat", b""))[1],
        UNREADABLE,
        ("rec.dat", "empty"),
    ),
    Case(
        "cut signal file",
        lambda s: (s.wfdb(), s.save("rec.dat", bytes(9599)), s.folder / "rec")[2],
        UNREADABLE,
        ("promises 400", "holds 399"),
    ),
    Case(
        "text as signal file",
        lambda s: (s.wfdb(), s.save("rec.dat", "some text " * 999), s.folder / "rec")[2],
        UNREADABLE,
        ("rec.dat", "found text"),
    ),
    Case(
        "leads at two rates",
        lambda s: s.wfdb("16 200(0)/mV 16 0", "16x2 200(0)/mV 16 0", labels=["I"] * 12),
        UNSUPPORTED,
        ("missing",),
    ),
    Case(
        "three leads",
        lambda s: s.wfdb(labels=["I", "II", "V1"] + ["x"] * 9),
        UNSUPPORTED,
        ("V2, V3, V4, V5, V6", "3 of them in 12 channels"),
    ),
    Case("no names", lambda s: s.wfdb(labels=[""] * 12), UNSUPPORTED, ("0 of them in 12",)),
    Case(
        "baseline is a word",
        lambda s: s.wfdb("200(0)/mV 16 0", "200/mV 16 zero"),
        UNREADABLE,
        ("ADC zero",),
    ),
    Case(
        "twenty-digit checksum",
        lambda s: s.wfdb(" 0 V6", "9" * 20 + " 0 V6"),
        UNREADABLE,
        ("checksum",),
    ),
]

DICOM = [
    Case("deflated", deflated_dicom, UNSUPPORTED, ("deflated", "Explicit VR")),
    Case(
        "encapsulated pdf",
        lambda s: dicom_without_waveform(s, "1.2.840.10008.5.1.4.1.1.104.1", "ECG"),
        UNSUPPORTED,
        ("encapsulated PDF",),
    ),
    Case(
        "image",
        lambda s: dicom_without_waveform(s, "1.2.840.10008.5.1.4.1.1.4", "MR"),
        UNSUPPORTED,
        ("an image (MR)",),
    ),
    Case("only a median", lambda s: s.dicom({"derived": True}), UNSUPPORTED, ("median",)),
    Case("four times three leads", split_dicom, UNSUPPORTED, ("4 groups of 2.5 s", "simultaneous")),
    Case(
        "three leads",
        lambda s: s.dicom({"steps": s.steps()[:3], "labels": LEAD_NAMES[:3]}),
        UNSUPPORTED,
        ("missing: V1",),
    ),
    Case("no unit", lambda s: s.dicom({"unit": None}), UNIT, ("voltage unit", "unit=")),
    Case("unit is no voltage", lambda s: s.dicom({"unit": "mm[Hg]"}), UNIT, ("mm[Hg]",)),
    Case("no sensitivity", lambda s: s.dicom({"sensitivity": None}), UNIT, ("sensitivity",)),
    Case("sensitivity 0", lambda s: s.dicom({"sensitivity": "0"}), UNREADABLE, ("0 mV per step",)),
    Case(
        "companded",
        lambda s: s.dicom({"interpretation": "MB", "dtype": "u1", "bits": 8}),
        UNSUPPORTED,
        ("8 bits", "MB"),
    ),
    Case(
        "more samples than stored",
        lambda s: s.dicom({"claimed_samples": 500}),
        UNREADABLE,
        ("500 samples need 12000 bytes", "found 9600"),
    ),
    Case(
        "four billion samples",
        lambda s: s.dicom({"claimed_samples": 2**32 - 1}),
        UNSUPPORTED,
        ("24 h",),
    ),
    Case("rate 0", lambda s: s.dicom({"rate": 0}), UNREADABLE, ("sampling rate", "0 Hz")),
    Case(
        "channel count",
        lambda s: s.dicom({}, NumberOfWaveformChannels=11),
        UNREADABLE,
        ("11 channel definitions", "found 12"),
    ),
    Case(
        "no channel definitions",
        lambda s: s.dicom({}, ChannelDefinitionSequence=[]),
        UNREADABLE,
        ("12 channel definitions, found 0",),
    ),
    Case("no samples at all", lambda s: s.dicom({}, WaveformData=b""), UNREADABLE, ("found 0",)),
    *[
        Case(
            f"cut at {keep}",
            lambda s, k=keep: truncated(s, "pydicom_waveform_ecg.dcm", k),
            UNREADABLE,
            ("pydicom_waveform_ecg.dcm",),
        )
        for keep in (0.05, 0.3, 0.6)
    ],
    Case(
        "cut in the meta header",
        lambda s: s.sample("pydicom_waveform_ecg.dcm", lambda data: data[:200]),
        UNREADABLE,
        ("waveform",),
    ),
    Case(
        "cut after the magic",
        lambda s: s.sample("pydicom_waveform_ecg.dcm", lambda data: data[:132]),
        UNSUPPORTED,
        ("waveform",),
    ),
]

SCP = [
    *[
        Case(
            f"cut at {keep}",
            lambda s, k=keep: s.sample(
                "ecgtoolkit_Example.scp", lambda data: data[: int(len(data) * k)]
            ),
            UNREADABLE,
            ("states 34144 bytes",),
        )
        for keep in (0.01, 0.1, 0.5, 0.999)
    ],
    Case(
        "longer than it says",
        lambda s: s.sample("ecgtoolkit_Example.scp", lambda data: data + b"\0"),
        UNREADABLE,
        ("34144", "34145"),
    ),
    Case("no rhythm", lambda s: s.scp(without=(6,)), UNSUPPORTED, ("sections 3 and 6",)),
    Case("no leads", lambda s: s.scp(without=(3,)), UNSUPPORTED, ("sections 3 and 6",)),
    Case(
        "reference beat subtracted",
        lambda s: s.scp(flags=0b1100101),
        UNSUPPORTED,
        ("reference beat",),
    ),
    Case("bimodal", lambda s: s.scp(bimodal=1), UNSUPPORTED, ("bimodal",)),
    Case("no resolution", lambda s: s.scp(nanovolts=0), UNREADABLE, ("0 nV per step",)),
    Case("no interval", lambda s: s.scp(interval_us=0), UNREADABLE, ("0 us per sample",)),
    Case(
        "third differences",
        lambda s: s.save(
            "a.scp",
            s.files.scp_file(
                {
                    3: struct.pack("<BB", 12, 100)
                    + b"".join(struct.pack("<IIB", 1, 9, c) for c in s.files.SCP_CODES.values()),
                    6: struct.pack("<HHBB", 5, 5, 3, 0) + bytes(99),
                }
            ),
        ),
        UNREADABLE,
        ("difference order 3",),
    ),
    Case(
        "leads not simultaneous",
        lambda s: s.scp(extents=[(1, 400)] * 11 + [(2, 401)]),
        UNSUPPORTED,
        ("start or end at different samples",),
    ),
    Case(
        "four billion samples",
        lambda s: s.scp(extents=[(1, 2**32 - 1)] * 12),
        UNSUPPORTED,
        ("more than",),
    ),
    Case("end before start", lambda s: s.scp(extents=[(400, 1)] * 12), UNREADABLE, ("samples",)),
    Case(
        "fewer samples than stated",
        lambda s: s.scp(extents=[(1, 4000)] * 12),
        UNREADABLE,
        ("states 4000 samples", "holds"),
    ),
    Case("foreign leads", lambda s: s.scp(codes=range(30, 42)), UNSUPPORTED, ("0 of them in 12",)),
    Case(
        "switched tables",
        lambda s: s.scp(table=struct.pack("<H", 3)),
        UNSUPPORTED,
        ("3 switched Huffman tables",),
    ),
    Case(
        "table with a switch",
        lambda s: s.scp(table=struct.pack("<HHBBBhI", 1, 1, 1, 1, 0, 0, 0)),
        UNSUPPORTED,
        ("switch",),
    ),
    Case(
        "table that is no prefix code",
        lambda s: s.scp(table=struct.pack("<HH", 1, 2) + struct.pack("<BBBhI", 1, 1, 1, 0, 0) * 2),
        UNREADABLE,
        ("Huffman table",),
    ),
    Case(
        "table cut",
        lambda s: s.scp(table=struct.pack("<HH", 1, 400)),
        UNREADABLE,
        ("section 2 is cut short",),
    ),
    Case(
        "damaged samples",
        lambda s: scp_with(s, scp_section_start(s, 6) + 500, b"\x55\xaa"),
        UNREADABLE,
        ("checksum of SCP section 6",),
    ),
    Case(
        "another section's id",
        lambda s: scp_with(s, scp_section_start(s, 3) + 2, struct.pack("<H", 9)),
        UNREADABLE,
        ("expected SCP section 3, found 9",),
    ),
    Case(
        "pointer beyond the file",
        lambda s: scp_with(s, 22 + 60 + 6, struct.pack("<I", 2**31)),
        UNREADABLE,
        ("section 6", "beyond"),
    ),
    Case(
        "pointer list of 4 GB",
        lambda s: scp_with(s, 10, struct.pack("<I", 2**32 - 1)),
        UNREADABLE,
        ("section list",),
    ),
]

EDF = [
    Case("discontinuous", lambda s: s.edf(reserved="EDF+D"), UNSUPPORTED, ("EDF+D", "gaps")),
    Case(
        "cut header",
        lambda s: s.sample("HR06000.edf", lambda data: data[:300]),
        UNREADABLE,
        ("3328 bytes", "has 300"),
    ),
    Case(
        "half a header",
        lambda s: s.sample("HR06000.edf", lambda data: data[:200]),
        UNREADABLE,
        ("256 bytes", "found 200"),
    ),
    Case(
        "cut samples",
        lambda s: s.sample("HR06000.edf", lambda data: data[:-1001]),
        UNREADABLE,
        ("states 10 records", "holds 9"),
    ),
    Case(
        "no samples",
        lambda s: s.sample("HR06000.edf", lambda data: data[:3328]),
        UNREADABLE,
        ("holds 0",),
    ),
    Case(
        "too many records",
        lambda s: s.edf(num_records="99999999"),
        UNREADABLE,
        ("states 99999999 records",),
    ),
    Case("records are a word", lambda s: s.edf(num_records="many"), UNREADABLE, ("records",)),
    Case("no signals", lambda s: s.edf(num_signals="0"), UNREADABLE, ("number of signals",)),
    Case("9999 signals", lambda s: s.edf(num_signals="9999"), UNREADABLE, ("number of signals",)),
    Case("header size wrong", lambda s: s.edf(header_bytes="512"), UNREADABLE, ("states 512",)),
    Case("record of 0 s", lambda s: s.edf(record_s="0"), UNREADABLE, ("record duration",)),
    Case("record of nan s", lambda s: s.edf(record_s="nan"), UNREADABLE, ("record duration",)),
    Case("record of 1e-9 s", lambda s: s.edf(record_s="1e-9"), UNREADABLE, ("5e+11 Hz",)),
    Case("no unit", lambda s: s.edf(units=""), UNIT, ("dimension of lead I", "unit=")),
    Case("unit is no voltage", lambda s: s.edf(units="degC"), UNIT, ("degC",)),
    Case("physical range empty", lambda s: s.edf(physical=("5", "5")), UNREADABLE, ("empty",)),
    Case("digital range empty", lambda s: s.edf(digital=("7", "7")), UNREADABLE, ("empty",)),
    Case(
        "range is a word",
        lambda s: s.edf(physical=("low", "high")),
        UNREADABLE,
        ("not written as numbers",),
    ),
    Case(
        "eeg",
        lambda s: s.edf(labels=[f"EEG C{n}" for n in range(12)]),
        UNSUPPORTED,
        ("0 of them in 12 channels",),
    ),
]

TABLES = [
    Case("no unit", lambda s: csv_of(s, lambda lines: lines), UNIT, ("unit=", "sampling_rate_hz=")),
    Case(
        "no rate",
        lambda s: csv_of(s, lambda lines: lines),
        UNIT,
        ("sampling_rate_hz=",),
        {"unit": "mV"},
    ),
    Case(
        "names of no leads",
        lambda s: csv_of(s, lambda lines: lines, names=list("abcdefghijkl")),
        UNIT,
        ("lead_names=",),
        {"unit": "mV", "sampling_rate_hz": 500},
    ),
    Case(
        "names only", lambda s: csv_of(s, lambda lines: lines[:1]), UNREADABLE, ("no rows",), FACTS
    ),
    Case(
        "a word in a cell",
        lambda s: csv_of(s, lambda lines: [*lines, "Quux" + ",1" * 11]),
        UNREADABLE,
        ("table of numbers",),
        FACTS,
    ),
    Case(
        "short last row",
        lambda s: csv_of(s, lambda lines: [*lines, "1,2"]),
        UNREADABLE,
        ("equal length",),
        FACTS,
    ),
    Case("one column", lambda s: s.save("a.csv", "1;\n2;\n"), UNIT, ("lead_names=",)),
    Case(
        "precordials missing",
        lambda s: csv_of(s, lambda lines: lines, names=[*LEAD_NAMES[:8], *"abcd"]),
        UNSUPPORTED,
        ("V3",),
        FACTS,
    ),
    Case(
        "gap in time",
        lambda s: csv_of(s, lambda lines: lines[:50] + lines[90:], time_name="time (s)"),
        UNSUPPORTED,
        ("not evenly spaced", "steps"),
        {"unit": "mV"},
    ),
    Case(
        "time stands still",
        lambda s: csv_of(s, lambda lines: [lines[0]] + lines[1:2] * 90, time_name="time (s)"),
        UNSUPPORTED,
        ("does not increase",),
        {"unit": "mV"},
    ),
    Case(
        "row of words",
        lambda s: s.save("a.csv", "\n".join(f"{lead},1,2,Quux" for lead in LEAD_NAMES)),
        UNREADABLE,
        ("after the name I",),
        FACTS,
    ),
    Case(
        "wrong number of leads named",
        lambda s: csv_of(s, lambda lines: lines, names=None),
        UNSUPPORTED,
        ("2 leads were named",),
        {**FACTS, "lead_names": ["I", "II"]},
    ),
    Case(
        "parquet cut",
        lambda s: (
            parquet_of(s, {n: [1.0] * 99 for n in LEAD_NAMES}),
            s.save("a.parquet", (s.folder / "a.parquet").read_bytes()[:-40]),
        )[1],
        UNREADABLE,
        ("Parquet",),
    ),
    Case("parquet magic alone", lambda s: s.save("a.parquet", b"PAR1"), UNREADABLE, ("Parquet",)),
    Case(
        "parquet of words",
        lambda s: parquet_of(s, {n: ["x"] for n in LEAD_NAMES}),
        UNSUPPORTED,
        ("columns of numbers",),
        FACTS,
    ),
    Case(
        "parquet without leads",
        lambda s: parquet_of(s, {"a": [1.0], "b": [2.0]}),
        UNIT,
        ("0 of 2 columns", "lead_names="),
    ),
    Case(
        "parquet without unit",
        lambda s: parquet_of(s, {n: [1.0] * 99 for n in LEAD_NAMES}),
        UNIT,
        ("unit=",),
    ),
    Case(
        "parquet rate is a word",
        lambda s: parquet_of(s, {n: [1.0] for n in LEAD_NAMES}, {"sampling_rate_hz": "fast"}),
        UNREADABLE,
        ("sampling_rate_hz",),
    ),
]

ARRAYS = [
    Case(
        "objects",
        lambda s: s.npy(np.array([{"a": 1}], dtype=object)),
        UNSUPPORTED,
        ("Python objects", "never opened"),
        FACTS,
    ),
    Case(
        "8 TB claimed",
        lambda s: s.save("a.npy", npy_claiming("(1000000, 1000000, 2)")),
        UNREADABLE,
        ("8000000000000 bytes", "holds 400"),
        FACTS,
    ),
    Case(
        "negative shape",
        lambda s: s.save("a.npy", npy_claiming("(-12, 5)")),
        UNREADABLE,
        ("a.npy",),
        FACTS,
    ),
    Case(
        "code in the header",
        lambda s: s.save("a.npy", npy_claiming("__import__('os').getpid()")),
        UNREADABLE,
        ("NPY array",),
        FACTS,
    ),
    Case(
        "header cut",
        lambda s: s.save("a.npy", npy_claiming("(12, 9)")[:40]),
        UNREADABLE,
        ("NPY array",),
        FACTS,
    ),
    Case(
        "samples cut",
        lambda s: s.save("a.npy", npy_claiming("(12, 9)")[:-40]),
        UNREADABLE,
        ("holds 360 bytes",),
        FACTS,
    ),
    Case(
        "empty array", lambda s: s.npy(np.zeros((12, 0))), UNREADABLE, ("found 0 per lead",), FACTS
    ),
    Case(
        "complex", lambda s: s.npy(np.zeros((12, 9), complex)), UNSUPPORTED, ("complex128",), FACTS
    ),
    Case("booleans", lambda s: s.npy(np.zeros((12, 9), bool)), UNSUPPORTED, ("bool",), FACTS),
    Case("text", lambda s: s.npy(np.full((12, 9), "a")), UNSUPPORTED, ("numbers",), FACTS),
    Case(
        "four axes",
        lambda s: s.npy(np.zeros((2, 2, 12, 9))),
        UNSUPPORTED,
        ("shape (2, 2, 12, 9)",),
        FACTS,
    ),
    Case(
        "thirteen rows",
        lambda s: s.npy(np.zeros((13, 99))),
        UNSUPPORTED,
        ("shape (13, 99)",),
        FACTS,
    ),
    Case(
        "no facts",
        lambda s: s.npy(np.zeros((12, 99))),
        UNIT,
        ("lead_names=", "unit=", "sampling_rate_hz=", "a.npy.json"),
    ),
    Case(
        "24 h at 2000 Hz",
        lambda s: sparse(s, "a.npy", npy_claiming("(12, 90000000)", "'|i1'")[:128], 128),
        UNREADABLE,
        ("1080000000 bytes",),
        FACTS,
    ),
    Case(
        "25 h",
        lambda s: s.npy(np.zeros((12, 100), np.float16)),
        UNREADABLE,
        ("Hz",),
        {**FACTS, "sampling_rate_hz": 0.001},
    ),
    Case(
        "sidecar is no json",
        lambda s: with_sidecar(s, "{unit: mV"),
        UNREADABLE,
        ("a.npy.json", "JSON object"),
    ),
    Case("sidecar is a list", lambda s: with_sidecar(s, "[1]"), UNREADABLE, ("found a list",)),
    Case("sidecar too deep", lambda s: with_sidecar(s, "[" * 100_000), UNREADABLE, ("a.npy.json",)),
    Case(
        "sidecar with a wrong unit",
        lambda s: with_sidecar(s, json.dumps({"unit": "inch"})),
        ConfigError,
        ("a.npy.json", "unit must be"),
    ),
    Case(
        "npz cut",
        lambda s: (
            zip_of(s, "a.npz", {"x.npy": npy_claiming("(12, 8)")}),
            s.save("a.npz", (s.folder / "a.npz").read_bytes()[:-30]),
        )[1],
        UNREADABLE,
        ("NPZ",),
        FACTS,
    ),
    Case(
        "npz bomb",
        lambda s: zip_of(s, "a.npz", {f"{n}.npy": bytes(60 * 2**20) for n in range(9)}),
        UNSUPPORTED,
        ("540 MB unpacked",),
        FACTS,
    ),
    Case(
        "npz of objects",
        lambda s: (np.savez(s.folder / "a.npz", x=np.array([{}], object)), s.folder / "a.npz")[1],
        UNSUPPORTED,
        ("Python objects",),
        FACTS,
    ),
    Case(
        "npz damaged member",
        lambda s: (
            np.savez(s.folder / "a.npz", x=s.steps()),
            s.save(
                "a.npz",
                (s.folder / "a.npz")
                .read_bytes()
                .replace(bytes(s.steps()[3, 9:12].tobytes()), b"\xff" * 24),
            ),
        )[1],
        UNREADABLE,
        ("NPZ",),
        FACTS,
    ),
    Case(
        "npz with a wrong fact",
        lambda s: (np.savez(s.folder / "a.npz", x=s.steps(), unit="inch"), s.folder / "a.npz")[1],
        ConfigError,
        ("stated in the file", "unit"),
        FACTS,
    ),
    Case(
        "hdf5 magic alone",
        lambda s: s.save("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(99)),
        UNREADABLE,
        ("HDF5",),
        FACTS,
    ),
    Case(
        "hdf5 of words",
        lambda s: hdf5_of(s, lambda f, h: f.create_dataset("a", data="x")),
        UNSUPPORTED,
        ("no array of numbers",),
        FACTS,
    ),
    Case(
        "hdf5 link into another file",
        lambda s: hdf5_of(s, lambda f, h: f.__setitem__("ecg", h.ExternalLink("/etc/passwd", "/"))),
        UNSUPPORTED,
        ("no array of numbers",),
        FACTS,
    ),
    Case(
        "hdf5 samples in another file",
        lambda s: hdf5_of(
            s,
            lambda f, h: f.create_dataset(
                "ecg", (12, 9), "f4", external=[("/etc/hostname", 0, h.h5f.UNLIMITED)]
            ),
        ),
        UNSUPPORTED,
        ("never opened",),
        FACTS,
    ),
    Case(
        "hdf5 claiming terabytes",
        lambda s: hdf5_of(
            s, lambda f, h: f.create_dataset("ecg", (12, 10**11), "f8", chunks=(1, 1000))
        ),
        UNSUPPORTED,
        ("MB unpacked",),
        FACTS,
    ),
    Case(
        "hdf5 batch claiming terabytes",
        lambda s: hdf5_of(
            s, lambda f, h: f.create_dataset("ecg", (10**7, 12, 5000), "f4", chunks=(1, 12, 5000))
        ),
        UNIT,
        ("record_index=",),
        FACTS,
    ),
    Case(
        "hdf5 several arrays",
        lambda s: hdf5_of(
            s,
            lambda f, h: (
                f.create_dataset("a", (12, 9), "f4"),
                f.create_dataset("b", (12, 9), "f4"),
            ),
        ),
        UNSUPPORTED,
        ("array_name=",),
        FACTS,
    ),
    Case(
        "hdf5 batch index too high",
        lambda s: hdf5_of(s, lambda f, h: f.create_dataset("a", (2, 12, 9), "f4")),
        UNSUPPORTED,
        ("record_index 7", "holds 2"),
        {**FACTS, "record_index": 7},
    ),
]

GROUPS = {
    "paths": PATHS,
    "kinds": KINDS,
    "xml": XML,
    "cardiosoft": CARDIOSOFT,
    "muse": MUSE,
    "aecg": AECG,
    "philips": PHILIPS,
    "wfdb": WFDB,
    "dicom": DICOM,
    "scp": SCP,
    "edf": EDF,
    "tables": TABLES,
    "arrays": ARRAYS,
}
CASES = [
    pytest.param(case, id=f"{g}: {case.name}") for g, cases in GROUPS.items() for case in cases
]


def test_there_are_more_than_a_hundred_cases():
    names = [param.id for param in CASES]
    assert len(names) == len(set(names)) > 200


@pytest.mark.parametrize("case", CASES)
def test_bad_file_is_refused_in_words(case, files, samples, tmp_path, refuse):
    path = case.build(Workshop(files, samples, tmp_path))
    message = refuse(path, case.error, **case.hints)
    for word in case.words:
        assert word in message
    assert "Quux" not in message
