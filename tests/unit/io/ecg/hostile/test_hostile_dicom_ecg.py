"""Bad DICOM waveforms: refused by name, with what was expected."""

from pathlib import Path

import pytest

from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.records import LEAD_NAMES


def case(name, build, error, words, hints=None):
    return pytest.param(build, error, words, hints or {}, id=name)


def deflated_dicom(shop) -> Path:
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    dataset = shop.files.dicom_dataset([{"steps": shop.steps()}])
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return shop.files.write_dicom(shop.folder / "a.dcm", dataset)


def dicom_without_waveform(shop, sop_class: str, modality: str) -> Path:
    dataset = shop.files.dicom_dataset([{"steps": shop.steps()}])
    del dataset.WaveformSequence
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.Modality = modality
    dataset.add_new("EncapsulatedDocument", "OB", b"%PDF")
    return shop.files.write_dicom(shop.folder / "a.dcm", dataset)


def split_dicom(shop) -> Path:
    """Four groups of three leads, 2.5 s each, as some carts store a printed page."""
    rows = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11)]
    return shop.dicom(
        *[
            {"steps": shop.steps(1250)[list(group)], "labels": [LEAD_NAMES[row] for row in group]}
            for group in rows
        ]
    )


CASES = [
    case("deflated", deflated_dicom, UnsupportedFormatError, ("deflated", "Explicit VR")),
    case(
        "encapsulated pdf",
        lambda s: dicom_without_waveform(s, "1.2.840.10008.5.1.4.1.1.104.1", "ECG"),
        UnsupportedFormatError,
        ("encapsulated PDF",),
    ),
    case(
        "image",
        lambda s: dicom_without_waveform(s, "1.2.840.10008.5.1.4.1.1.4", "MR"),
        UnsupportedFormatError,
        ("an image (MR)",),
    ),
    case(
        "only a median", lambda s: s.dicom({"derived": True}), UnsupportedFormatError, ("median",)
    ),
    case(
        "four times three leads",
        split_dicom,
        UnsupportedFormatError,
        ("4 groups of 2.5 s", "simultaneous"),
    ),
    case(
        "three leads",
        lambda s: s.dicom({"steps": s.steps()[:3], "labels": LEAD_NAMES[:3]}),
        UnsupportedFormatError,
        ("missing: V1",),
    ),
    case("no unit", lambda s: s.dicom({"unit": None}), MissingUnitError, ("voltage unit", "unit=")),
    case(
        "unit is no voltage", lambda s: s.dicom({"unit": "mm[Hg]"}), MissingUnitError, ("mm[Hg]",)
    ),
    case(
        "no sensitivity",
        lambda s: s.dicom({"sensitivity": None}),
        MissingUnitError,
        ("sensitivity",),
    ),
    case(
        "sensitivity 0",
        lambda s: s.dicom({"sensitivity": "0"}),
        UnreadableFileError,
        ("0 mV per step",),
    ),
    case(
        "companded",
        lambda s: s.dicom({"interpretation": "MB", "dtype": "u1", "bits": 8}),
        UnsupportedFormatError,
        ("8 bits", "MB"),
    ),
    case(
        "more samples than stored",
        lambda s: s.dicom({"claimed_samples": 500}),
        UnreadableFileError,
        ("500 samples need 12000 bytes", "found 9600"),
    ),
    case(
        "four billion samples",
        lambda s: s.dicom({"claimed_samples": 2**32 - 1}),
        UnsupportedFormatError,
        ("24 h",),
    ),
    case("rate 0", lambda s: s.dicom({"rate": 0}), UnreadableFileError, ("sampling rate", "0 Hz")),
    case(
        "channel count",
        lambda s: s.dicom({}, NumberOfWaveformChannels=11),
        UnreadableFileError,
        ("11 channel definitions", "found 12"),
    ),
    case(
        "no channel definitions",
        lambda s: s.dicom({}, ChannelDefinitionSequence=[]),
        UnreadableFileError,
        ("12 channel definitions, found 0",),
    ),
    case(
        "no samples at all",
        lambda s: s.dicom({}, WaveformData=b""),
        UnreadableFileError,
        ("found 0",),
    ),
    *[
        case(
            f"cut at {keep}",
            lambda s, k=keep: s.truncated("pydicom_waveform_ecg.dcm", k),
            UnreadableFileError,
            ("pydicom_waveform_ecg.dcm",),
        )
        for keep in (0.05, 0.3, 0.6)
    ],
    case(
        "cut in the meta header",
        lambda s: s.sample("pydicom_waveform_ecg.dcm", lambda data: data[:200]),
        UnreadableFileError,
        ("waveform",),
    ),
    case(
        "cut after the magic",
        lambda s: s.sample("pydicom_waveform_ecg.dcm", lambda data: data[:132]),
        UnsupportedFormatError,
        ("waveform",),
    ),
]


@pytest.mark.parametrize(("build", "error", "words", "hints"), CASES)
def test_bad_waveform_is_refused_in_words(expect_refusal, build, error, words, hints):
    expect_refusal(build, error, words, hints)
