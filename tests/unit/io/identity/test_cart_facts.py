"""Further carts and scanners say whose a recording is, and pairs follow it."""

import struct

import h5py
import numpy as np
import pytest

from ptacl_core.ingest.make_plan import Discovery, make_plan
from ptacl_core.io import discover
from ptacl_core.io.identity.inside import read_facts
from tests.unit.ingest.tree_checks import load_trees

TREES = load_trees()


def schiller(person: str, day: int = 2) -> bytes:
    root = "com.xiriuz.sema.xml.schillerEDI.SchillerEDI"
    return (
        f"<?xml version='1.0'?><{root}><examdescript><id>77</id><startdatetime>"
        f"<date>202001{day:02d}</date><time>101112</time></startdatetime></examdescript><patdata><id>{person}</id>"
        f"<gender>Female</gender><birthdate>19500304000000</birthdate></patdata></{root}>"
    ).encode()


def eli(person: str, day: int = 2) -> bytes:
    return (
        f'<ECG ACQUISITION_TIME="202001{day:02d}101112"><SOURCE ID="CART7"/><SUBJECT LAST_NAME="" '
        f'ID="{person}" DOB="19500304" GENDER="Female" AGE="61"/><CHANNEL NAME="I"/></ECG>'
    ).encode()


def ge_mac(person: str, day: int = 2) -> bytes:
    return (
        '<sapphire xmlns="urn:ge:sapphire:dcar_1"><dcarRecord><id V="5"/><patientInfo><name>'
        f'<family V=""/></name><identifier><id V="{person}"/></identifier><gender V="FEMALE"/>'
        f'<birthDateTime V="1950-03-04"/></patientInfo><visit><order><acquisitionDateTime '
        f'V="2020-01-{day:02d}T10:11:12"/></order></visit></dcarRecord></sapphire>'
    ).encode()


def ishne(person: str, day: int = 2) -> bytes:
    head = bytearray(600)
    head[:8] = b"ISHNE1.0"
    head[108 : 108 + len(person)] = person.encode()
    struct.pack_into("<hh3h3h", head, 128, 2, 0, 4, 3, 1950, day, 1, 2020)
    struct.pack_into("<3h", head, 150, 10, 11, 12)
    return bytes(head)


def mfer(person: str, day: int = 2) -> bytes:
    fields = ((0x40, b"MFR "), (0x01, b"\x01"), (0x82, person.encode()), (0x84, b"\x02"))
    stamp = struct.pack("<H", 2020) + bytes((1, day, 10, 11, 12, 0, 0, 0, 0))
    return (
        b"".join(bytes((tag, len(value))) + value for tag, value in (*fields, (0x85, stamp)))
        + b"\x1e\x84\0\0\xff\xff"
    )


CARTS = {
    "schiller_xml": (schiller, ".xml"),
    "eli_xml": (eli, ".xml"),
    "ge_mac_xml": (ge_mac, ".xml"),
    "ishne": (ishne, ".ecg"),
    "mfer": (mfer, ".mwf"),
}


@pytest.mark.parametrize("file_format", CARTS)
def test_a_cart_says_whose_its_recording_is_and_when_it_was_made(tmp_path, file_format):
    build, ending = CARTS[file_format]
    path = tmp_path / f"x{ending}"
    path.write_bytes(build("H100"))
    facts = read_facts(path, file_format)
    assert (facts.identifier, facts.sex) == ("H100", "F")
    assert facts.acquired is not None
    assert facts.acquired.isoformat() == "2020-01-02T10:11:12"
    assert facts.birth_date == ("" if file_format == "mfer" else facts.birth_date)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert read_facts(path, file_format).identifier in ("", "H100", "H10", "H1", "H")


@pytest.mark.parametrize("file_format", CARTS)
def test_its_recordings_find_their_cines_where_no_name_says_who(tmp_path, file_format):
    build, ending = CARTS[file_format]
    for number, person in enumerate(("H200", "H100")):
        ecg = tmp_path / "source" / "ecg" / f"{number + 1:03d}{ending}"
        cine = tmp_path / "source" / "dicom" / f"{9 - number:03d}"
        for folder in (ecg.parent, cine):
            folder.mkdir(parents=True, exist_ok=True)
        ecg.write_bytes(build(person))
        for name in ("1.dcm", "2.dcm"):
            (cine / name).write_bytes(TREES.dicom_head(person, f"1.2.{number}", 3))
    plan = make_plan(Discovery([list(discover(tmp_path / "source"))]))
    assert sorted(visit.subject for visit in plan.visits if visit.is_pair) == ["H100", "H200"]


@pytest.mark.parametrize("file_format", CARTS)
def test_two_people_in_one_folder_are_no_pair(tmp_path, file_format):
    build, ending = CARTS[file_format]
    folder = tmp_path / "source" / "H100" / "visit1"
    folder.mkdir(parents=True)
    (folder / f"rest{ending}").write_bytes(build("H200"))
    for name in ("1.dcm", "2.dcm"):
        (folder / name).write_bytes(TREES.dicom_head("H100", "1.2.3", 3))
    plan = make_plan(Discovery([list(discover(tmp_path / "source"))]))
    assert not any(visit.is_pair for visit in plan.visits)


def test_an_mrd_file_says_whose_images_it_holds(tmp_path):
    path = tmp_path / "x.h5"
    header = (
        '<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><subjectInformation><patientID>H100'
        "</patientID><patientGender>F</patientGender></subjectInformation><studyInformation>"
        "<studyDate>2020-01-02</studyDate><studyTime>10:11:12</studyTime></studyInformation>"
        "</ismrmrdHeader>"
    )
    with h5py.File(path, "w") as file:
        group = file.create_group("dataset")
        group.create_dataset("xml", data=np.array([header.encode()], dtype=object),
                             dtype=h5py.special_dtype(vlen=bytes))  # fmt: skip
        group.create_group("image_0").create_dataset("data", data=np.zeros((2, 1, 1, 4, 4)))
    facts = read_facts(path, "ismrmrd")
    assert (facts.identifier, facts.sex, facts.coding) == ("H100", "F", "mrd")
    assert facts.acquired is not None
    assert facts.acquired.isoformat() == "2020-01-02T10:11:12"
    path.write_bytes(path.read_bytes()[:600])
    assert read_facts(path, "ismrmrd").identifier == ""
