"""Schiller, ELI, GE MAC and MegaCare XML, ISHNE and MFER: round trips, and what is only named."""

import base64
import struct
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest

from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io import read_ecg
from ptacl_core.io.ecg.person_facts import aecg_person, edf_person, philips_person
from ptacl_core.records import LEAD_NAMES, Person

RATE_HZ = 500
STEP_UV = 5
MFER_CODES = {"I": 1, "II": 2, "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 7, "V6": 8}
MFER_CODES |= {"III": 61, "aVR": 62, "aVL": 63, "aVF": 64}


@pytest.fixture
def steps(files):
    return files.make_steps(5000)


def schiller(steps, resolution="<yres>5</yres>"):
    waves = ""
    for kind, rows in (("ECG_AVERAGES", steps[:, :600] * 0 + 7), ("ECG_RHYTHMS", steps)):
        channels = "".join(
            f"<channel><name>{lead}</name><datastype>COMMASEPARATE</datastype>"
            f"<data>{','.join(map(str, row))},</data></channel>"
            for lead, row in zip(LEAD_NAMES, rows, strict=True)
        )
        waves += (
            f"<wavedata><type>{kind}</type><resolution><samplerate>500</samplerate>{resolution}"
            f"</resolution>{channels}</wavedata>"
        )
    root = "com.xiriuz.sema.xml.schillerEDI.SchillerEDI"
    return (
        f"<?xml version='1.0'?><{root}><patdata><id>9</id><gender>Female</gender></patdata>"
        f"<eventdata><event>{waves}</event></eventdata></{root}>"
    )


def eli(steps, bits="16"):
    channels = "".join(
        f'<CHANNEL NAME="{lead.upper()}" SAMPLE_FREQ="500" OFFSET="0" BITS="{bits}" '
        f'FORMAT="SIGNED" UNITS_PER_MV="200" DURATION="5000" ENCODING="BASE64" '
        f'DATA="{base64.b64encode(row.astype("<i2").tobytes()).decode()}"/>'
        for lead, row in zip(LEAD_NAMES, steps, strict=True)
    )
    cycle = '<TYPICAL_CYCLE SAMPLE_FREQ="1000"/>'
    return f'<ECG><SUBJECT GENDER="Male" AGE="61"/>{cycle}{channels}</ECG>'


def ge_mac(steps, scale='U="uV" S="5"'):
    def block(rows, attributes):
        waves = "".join(
            f'<ecgWaveform lead="{lead}" asizeVT="{len(row)}" V="{" ".join(map(str, row))}"/>'
            for lead, row in zip(LEAD_NAMES, rows, strict=True)
        )
        return f'<ecgWaveformMXG {attributes}><sampleRate V="500"/>{waves}</ecgWaveformMXG>'

    median = f"<medianTemplate>{block(steps[:, :600] * 0 + 7, scale)}</medianTemplate>"
    return (
        f'<sapphire xmlns="urn:ge:sapphire:dcar_1"><gender V="MALE"/><wav>{median}'
        f"{block(steps, scale)}</wav></sapphire>"
    )


def megacare(steps):
    sequences = (
        "<component><sequence><code code='TIME_RELATIVE'/><value><head value='0' unit='s'/>"
        "<increment value='0.002' unit='s'/></value></sequence></component>"
    )
    for lead, row in zip(LEAD_NAMES, steps, strict=True):
        sequences += (
            f"<component><sequence><code code='NOM_ECG_LEAD_{lead.upper()}'/><value>"
            f"<origin value='0' unit='uV'/><scale value='5' unit='uV'/>"
            f"<digits>{' '.join(map(str, row))}</digits></value></sequence></component>"
        )
    return (
        "<MegaCare><component><series><code code='ECG_RHYTHM_WAVEFORMS' codeSystem='MDC'/>"
        f"<component><sequenceSet>{sequences}</sequenceSet></component></series></component>"
        "</MegaCare>"
    )


@pytest.mark.parametrize(
    ("write", "source_format", "sex"),
    [
        (schiller, "schiller_xml", "F"),
        (eli, "eli_xml", "M"),
        (ge_mac, "ge_mac_xml", "M"),
        (megacare, "hl7_aecg", None),
    ],
)
def test_xml_of_further_carts(files, tmp_path, steps, write, source_format, sex):
    path = tmp_path / "a.xml"
    path.write_text(write(steps))
    record = read_ecg(path)
    np.testing.assert_allclose(record.signal_mv, files.to_mv(steps), atol=1e-6)
    assert record.sampling_rate_hz == RATE_HZ
    assert record.source_format == source_format
    assert record.person.sex == sex


@pytest.mark.parametrize(
    ("write", "error"),
    [
        (lambda steps: schiller(steps, resolution=""), MissingUnitError),
        (
            lambda steps: schiller(steps).replace("ECG_RHYTHMS", "ECG_STRESS"),
            UnsupportedFormatError,
        ),
        (lambda steps: eli(steps, bits="24"), UnsupportedFormatError),
        (lambda steps: eli(steps).replace('DURATION="5000"', 'DURATION="9"'), UnreadableFileError),
        (lambda steps: ge_mac(steps, scale=""), MissingUnitError),
        (lambda steps: "<ECGData><a/></ECGData>", UnsupportedFormatError),
        (lambda steps: "<Observation><a/></Observation>", UnsupportedFormatError),
    ],
)
def test_what_is_missing_or_not_read_is_named(tmp_path, steps, refuse, write, error):
    path = tmp_path / "a.xml"
    path.write_text(write(steps))
    message = refuse(path, error)
    assert "Edan" in message or "ECGData" not in path.read_text()
    assert "FHIR" in message or "Observation" not in path.read_text()


def ishne_bytes(steps, leads=LEAD_NAMES):
    codes = [5 + LEAD_NAMES.index(lead) for lead in leads] + [0] * (12 - len(leads))
    header = bytearray(522)
    header[:8] = b"ISHNE1.0"
    struct.pack_into("<4i", header, 10, 0, steps.shape[1], 522, 522)
    struct.pack_into("<h", header, 128, 2)
    struct.pack_into("<6h", header, 132, 1, 6, 1950, 1, 6, 2010)
    struct.pack_into("<13h", header, 156, len(leads), *codes)
    struct.pack_into("<12h", header, 206, *[STEP_UV * 1000] * 12)
    struct.pack_into("<h", header, 272, RATE_HZ)
    return bytes(header) + np.ascontiguousarray(steps[: len(leads)].T, "<i2").tobytes()


def test_ishne(files, tmp_path, steps, refuse):
    path = tmp_path / "a.ecg"
    path.write_bytes(ishne_bytes(steps))
    record = read_ecg(path)
    np.testing.assert_allclose(record.signal_mv, files.to_mv(steps), atol=1e-6)
    assert record.person.sex == "F"
    assert record.person.age_years == pytest.approx(60, abs=0.01)
    path.write_bytes(ishne_bytes(steps, leads=("I", "II", "V1")))
    assert "missing" in refuse(path, UnsupportedFormatError)
    path.write_bytes(ishne_bytes(steps)[:300])
    assert "cut short" in refuse(path, UnreadableFileError)


def mfer_bytes(steps, *, order="<", sequences=1):
    def field(tag, value):
        size = len(value)
        length = bytes([size]) if size < 128 else b"\x84" + size.to_bytes(4, "big")
        return bytes([tag]) + length + value

    def whole(value, width):
        return value.to_bytes(width, "little" if order == "<" else "big")

    block = steps.shape[1] // sequences
    data = b"\x40\x20MFR " + bytes(28)
    data += field(0x01, b"\x01" if order == "<" else b"\x00")
    data += field(0x0B, b"\x01" + struct.pack("b", -3) + whole(2, 2))  # 2 ms
    data += field(0x0C, b"\x00" + struct.pack("b", -6) + whole(5, 2))  # 5 uV
    data += field(0x84, b"\x01") + field(0x83, b"\x3d" + bytes(6))
    data += (
        field(0x04, whole(block, 4)) + field(0x05, whole(12, 1)) + field(0x06, whole(sequences, 2))
    )
    for at, lead in enumerate(LEAD_NAMES):
        data += b"\x3f" + bytes([at]) + bytes([4]) + field(0x09, whole(MFER_CODES[lead], 2))
    blocks = steps.reshape(12, sequences, block).transpose(1, 0, 2)
    return data + field(0x1E, blocks.astype(f"{order}i2").tobytes()) + b"\x80\x00"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("sequences", [1, 10])
def test_mfer(files, tmp_path, steps, order, sequences):
    path = tmp_path / "a.mwf"
    path.write_bytes(mfer_bytes(steps, order=order, sequences=sequences))
    record = read_ecg(path)
    np.testing.assert_allclose(record.signal_mv, files.to_mv(steps), atol=1e-6)
    assert record.sampling_rate_hz == RATE_HZ
    assert (record.person.sex, record.person.age_years) == ("M", 61.0)


def test_mfer_cut_short(tmp_path, steps, refuse):
    path = tmp_path / "a.mwf"
    path.write_bytes(mfer_bytes(steps)[:-500])
    assert "cut short" in refuse(path, UnreadableFileError)
    path.write_bytes(mfer_bytes(steps)[:60])
    refuse(path, UnreadableFileError)


def test_persons_of_the_usual_formats(files, tmp_path, steps):
    path = tmp_path / "a.xml"
    facts = "<PatientAge>54</PatientAge><AgeUnits>YEARS</AgeUnits><Gender>FEMALE</Gender>"
    facts += "<HeightIN>65</HeightIN><WeightLBS>154</WeightLBS>"
    text = files.muse_of(steps).replace("<PatientDemographics>", f"<PatientDemographics>{facts}")
    path.write_text(text)
    person = read_ecg(path).person
    assert (person.sex, person.age_years) == ("F", 54.0)
    assert person.height_cm == pytest.approx(165.1)
    assert person.weight_kg == pytest.approx(69.85, abs=0.01)
    header = files.write_wfdb(tmp_path, steps)
    header.write_text(header.read_text() + "# Age: 300\n#Sex: Male\n# Dx: 426783006\n")
    person = read_ecg(header).person
    assert (person.sex, person.age_years) == ("M", None)


AECG_PERSON = (
    b'<AnnotatedECG><effectiveTime><low value="20200102101112"/></effectiveTime>'
    b"<subjectDemographicPerson><administrativeGenderCode code='F'/><birthTime value='19600102'/>"
    b"</subjectDemographicPerson></AnnotatedECG>"
)
PHILIPS_PERSON = (
    b'<restingecgdata><dataacquisition date="2020-01-02"/><generalpatientdata><age>'
    b"<dateofbirth>1960-01-02</dateofbirth></age><sex>Female</sex><height><inch>65</inch></height>"
    b"<weight><kg>70</kg></weight></generalpatientdata></restingecgdata>"
)


def test_persons_of_aecg_philips_and_edf():
    person = aecg_person(fromstring(AECG_PERSON))
    assert (person.sex, person.age_years) == ("F", pytest.approx(60, abs=0.01))
    person = philips_person(fromstring(PHILIPS_PERSON))
    assert (person.sex, person.age_years) == ("F", pytest.approx(60, abs=0.01))
    assert (person.height_cm, person.weight_kg) == (pytest.approx(165.1), 70.0)
    head = b"0".ljust(8) + b"H100 M 02-JAN-1960 X".ljust(80)
    head += b"Startdate 02-JAN-2020 X X X".ljust(80) + b"02.01.2010.11.12".ljust(24)
    person = edf_person(head + b"EDF+C".ljust(64))
    assert (person.sex, person.age_years) == ("M", pytest.approx(60, abs=0.01))
    assert edf_person(head + b"".ljust(64)) == Person()


def test_megacare_without_a_rhythm_is_named_for_what_it_is(tmp_path):
    path = tmp_path / "x.xml"
    path.write_text("<MegaCare><a/></MegaCare>")
    with pytest.raises(UnsupportedFormatError, match="found MegaCare XML without one"):
        read_ecg(path)
