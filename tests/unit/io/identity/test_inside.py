"""What files of every format say of their person and time, from their first bytes."""

import gzip
import struct
from datetime import datetime
from pathlib import Path

import pytest

from ptacl_core.io.identity.inside import read_facts

DATA = Path(__file__).parents[3] / "data" / "ecg"
AECG = (
    b'<?xml version="1.0"?><AnnotatedECG xmlns="urn:hl7-org:v3"><effectiveTime>'
    b'<low value="20200102101112.000"/></effectiveTime><componentOf><trialSubject>'
    b'<id root="1.2.3" extension="H100"/><subjectDemographicPerson>'
    b'<administrativeGenderCode code="F"/></subjectDemographicPerson></trialSubject>'
    b"</componentOf><component><series/></component></AnnotatedECG>"
)
MUSE = (
    b"<RestingECG><PatientDemographics><PatientID>H100</PatientID><Gender>FEMALE</Gender>"
    b"</PatientDemographics><TestDemographics><AcquisitionTime>10:11:12</AcquisitionTime>"
    b"<AcquisitionDate>01-02-2020</AcquisitionDate></TestDemographics></RestingECG>"
)
CARDIOSOFT = (
    b"<CardiologyXML><ObservationDateTime><Hour>10</Hour><Minute>11</Minute><Day>2</Day>"
    b"<Month>1</Month><Year>2020</Year></ObservationDateTime><PatientInfo><PID>H100</PID>"
    b"<Gender>FEMALE</Gender></PatientInfo></CardiologyXML>"
)
PHILIPS = (
    '<restingecgdata xmlns="http://www3.medical.philips.com"><dataacquisition date="2020-01-02" '
    'time="10:11:12"/><patient><generalpatientdata><patientid>H100</patientid><sex>Female</sex>'
    "</generalpatientdata></patient></restingecgdata>"
)


def edf(patient: str, *, is_plus: bool = True) -> bytes:
    start = b"02.01.2010.11.12"
    kind = b"EDF+C" if is_plus else b""
    return (
        b"0".ljust(8)
        + patient.encode("latin-1").ljust(80)
        + bytes(80).replace(b"\0", b" ")
        + start
        + b"256".ljust(8)
        + kind.ljust(44)
        + b" " * 20
    )


def scp() -> bytes:
    tags = b"".join(
        struct.pack("<BH", tag, len(value)) + value
        for tag, value in (
            (2, b"H100\0"),
            (8, b"\x02"),
            (25, struct.pack("<HBB", 2020, 1, 2)),
            (26, bytes((10, 11, 12))),
            (255, b""),
        )
    )
    section_zero = 16 + 20
    pointers = struct.pack("<HII", 0, section_zero, 7)
    pointers += struct.pack("<HII", 1, 16 + len(tags), 7 + section_zero)
    head = struct.pack("<HHI", 0, 0, section_zero) + b"\x0d\x0dSCPECG\0\0"
    return struct.pack("<HI", 0, 0) + head[:16] + pointers + bytes(16) + tags


@pytest.mark.parametrize(
    ("file_format", "data"),
    [
        ("muse_xml", MUSE),
        ("cardiosoft_xml", CARDIOSOFT),
        ("philips_xml", PHILIPS.encode("utf-16")),
        ("philips_xml", PHILIPS.encode()),
        ("hl7_aecg", AECG),
        ("edf", edf("H100 F 02-MAY-1951 X")),
        ("scp", scp()),
    ],
)
def test_person_sex_and_day(tmp_path, file_format, data):
    path = tmp_path / "file"
    path.write_bytes(data)
    facts = read_facts(path, file_format)
    assert (facts.identifier, facts.sex) == ("H100", "F")
    assert facts.acquired is not None
    assert facts.acquired.replace(second=0) == datetime(2020, 1, 2, 10, 11)


def test_an_identifier_after_long_waveforms_is_found(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(MUSE.replace(b"<RestingECG>", b"<RestingECG>" + b"<W>0</W>" * 20_000))
    assert read_facts(path, "muse_xml").identifier == "H100"


def test_what_says_nothing_has_no_facts(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(edf("X X X X"))
    assert read_facts(path, "edf").identifier == ""
    path.write_bytes(b"damaged")
    for file_format in ("edf", "scp", "dicom", "muse_xml", "wfdb", "nifti"):
        assert read_facts(path, file_format).identifier == ""


def test_real_files(tmp_path):
    for name, file_format in (
        ("pydicom_waveform_ecg.dcm", "dicom"),
        ("HR06000_cardiosoft.xml", "cardiosoft_xml"),
        ("philips_1.04_demo.xml", "philips_xml"),
        ("hl7_Example_aECG.xml", "hl7_aecg"),
        ("ecgtoolkit_Example.scp", "scp"),
    ):
        path = tmp_path / name
        path.write_bytes(gzip.decompress((DATA / f"{name}.gz").read_bytes()))
        assert read_facts(path, file_format).acquired is not None, name
