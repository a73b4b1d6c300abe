"""Random trees of recordings whose people are known: folder habits, collisions, lost identifiers.

Files are real in what discovery reads of them: a CardioSoft or MUSE head, a DICOM header. A tree is
made from its seed alone. Names that carry a person carry the right one, unless the tree is said to
be misfiled; names that carry nobody are drawn so that they say nothing.
"""

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

MR_IMAGE = b"1.2.840.10008.5.1.4.1.1.4\0"


@dataclass
class Recording:
    """One recording of a tree: whose it is, which modality, at which visit, where it lies."""

    person: int
    modality: str
    visit: int
    place: str
    carries_name: bool


@dataclass
class Tree:
    """A source folder and the truth about it."""

    root: Path
    recordings: list[Recording] = field(default_factory=list)


def make_tree(root: Path, seed: int) -> Tree:
    """Write the tree of a seed below `root`."""
    draw = random.Random(seed)
    tree = Tree(root)
    root.mkdir(parents=True)
    people = draw.randint(1, 6)
    identity = draw.choice(["all"] * 5 + ["ecg", "cmr", "none", "placeholder", "foreign", "some"])
    numbers = _draw_identifiers(draw, people)
    aliases = [f"{draw.getrandbits(40):010x}" for _ in range(people)]
    own_habits = draw.random() < 0.5
    shared = draw.choice(ECG_HABITS), draw.choice(CMR_HABITS)
    must_name = identity != "all"
    used: set[str] = set()
    for person in range(people):
        habits = (draw.choice(ECG_HABITS), draw.choice(CMR_HABITS)) if own_habits else shared
        if must_name:
            habits = tuple(
                habit if habit(draw, "@", 1).count("@") else NAMED[modality]
                for habit, modality in zip(habits, ("ecg", "cmr"), strict=True)
            )
        for visit in range(1, draw.choice([1, 1, 1, 2, 3]) + 1):
            for modality, habit in zip(("ecg", "cmr"), habits, strict=True):
                if draw.random() < 0.1:
                    continue
                inside = _draw_inside(draw, identity, modality, numbers[person], aliases[person])
                _write(tree, draw, habit, person, modality, visit, numbers[person], inside, used)
    if draw.random() < 0.15:
        _misfile(tree, draw, numbers)
    if identity in ("none", "placeholder") and draw.random() < 0.4:
        _add_namesakes(tree, draw, people, used)
    return tree


def _draw_identifiers(draw: random.Random, people: int) -> list[str]:
    kind = draw.choice(["H{:03d}", "{:07d}", "P{:04d}", "MRN{:06d}", "{:05d}"])
    low, high = {"H{:03d}": (100, 999), "{:05d}": (10000, 99999)}.get(kind, (1000, 9999))
    if kind == "{:07d}":
        low, high = 9_000_000, 9_099_999
    return [kind.format(number) for number in draw.sample(range(low, high), people)]


def _draw_inside(draw: random.Random, identity: str, modality: str, number: str, alias: str) -> str:
    blank = draw.choice(["", " ", "anonymous", "00000000", "UNKNOWN"])
    if identity == "placeholder":
        return "ANON"
    if identity == "foreign":
        return number if modality == "ecg" else alias
    if identity == "none" or (identity in ("ecg", "cmr") and identity != modality):
        return blank
    if identity == "some" and draw.random() < 0.4:
        return blank
    spellings = [
        number,
        number,
        number.lower(),
        f" {number} ",
        f"{number}^^^HOSP",
        f"MRN: {number}",
    ]
    return draw.choice(spellings)


Habit = Callable[[random.Random, str, int], str]


def _junk(draw: random.Random) -> str:
    return draw.choice(
        [
            f"export_{draw.randint(10, 99)}",
            f"{draw.randint(10**11, 10**12)}",
            f"batch{draw.randint(1, 9)}",
            f"scan_{draw.randint(1000, 9999)}",
        ]
    )


def _date(draw: random.Random) -> str:
    return f"20{draw.randint(10, 24)}{draw.randint(1, 12):02d}{draw.randint(1, 28):02d}"


ECG_HABITS: list[Habit] = [
    lambda d, p, v: f"{p}/visit{v}/ecg",
    lambda d, p, v: f"{p}/ecg/{_date(d)}",
    lambda d, p, v: f"ecg/{p}_visit{v}",
    lambda d, p, v: f"visit{v}/{p}/rest",
    lambda d, p, v: f"{_date(d)}/{p}_ecg",
    lambda d, p, v: f"ecg/sub-{p}_ses-{v}_ecg",
    lambda d, p, v: f"{p}/v{v}/MUSE_{_date(d)}_{d.randint(100000, 235959)}_{d.randint(1, 99999)}",
    lambda d, p, v: f"muse/MUSE_{_date(d)}_{d.randint(100000, 235959)}_{d.randint(1, 99999)}",
    lambda d, p, v: f"{_junk(d)}/ecg",
    lambda d, p, v: f"visit{v}/ecg{d.randint(1, 3)}",
    lambda d, p, v: f"study/{d.randint(1, 9):03d}/ecg",
    lambda d, p, v: f"ward{d.choice('ABC')}/{d.randint(1, 9999):04d}",
    lambda d, p, v: f"ward{d.choice('ABC')}/{p}/visit{v}",
    lambda d, p, v: f"{_date(d)}/{_junk(d)}",
]
CMR_HABITS: list[Habit] = [
    lambda d, p, v: f"{p}/visit{v}/cine",
    lambda d, p, v: f"{p}/dicom/visit{v}/003",
    lambda d, p, v: f"{p}/visit{v}",
    lambda d, p, v: f"visit{v}/{p}/dicom",
    lambda d, p, v: f"cmr/{p}_visit{v}",
    lambda d, p, v: f"cmr/sub-{p}/ses-{v}",
    lambda d, p, v: f"{_date(d)}/{p}/study/series{d.randint(1, 9)}",
    lambda d, p, v: f"{_junk(d)}/dicom",
    lambda d, p, v: f"visit{v}/study",
    lambda d, p, v: f"study/{d.randint(1, 9):03d}",
    lambda d, p, v: f"cmr/{d.randint(10**11, 10**12)}",
    lambda d, p, v: f"ward{d.choice('ABC')}/{p}/visit{v}/dicom",
    lambda d, p, v: f"dicom/{_date(d)}/{d.randint(1, 99):03d}",
    lambda d, p, v: f"magnet{d.choice('12')}/{d.randint(1, 99):04d}",
]
NAMED = {"ecg": ECG_HABITS[0], "cmr": CMR_HABITS[0]}


def _write(
    tree: Tree,
    draw: random.Random,
    habit: Habit,
    person: int,
    modality: str,
    visit: int,
    number: str,
    inside: str,
    used: set[str],
) -> None:
    state = draw.getstate()
    place = habit(draw, number, visit)
    draw.setstate(state)
    is_named = habit(draw, "@", visit).count("@") > 0
    while place in used:
        place = (
            f"{place}_{draw.randint(1, 99)}" if not is_named else f"{place}_{draw.choice('xyz')}"
        )
    used.add(place)
    if modality == "ecg":
        path = tree.root / f"{place}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(ecg_head(draw, inside, visit))
        place = f"{place}.xml"
    else:
        folder = tree.root / place
        folder.mkdir(parents=True, exist_ok=True)
        uid = f"1.2.826.{draw.getrandbits(60)}"
        for name in ("0001.dcm", "0002.dcm"):
            (folder / name).write_bytes(dicom_head(inside, uid, visit))
    tree.recordings.append(Recording(person, modality, visit, place, is_named))


def _misfile(tree: Tree, draw: random.Random, numbers: list[str]) -> None:
    """One more ECG in a folder of somebody, which carries somebody else's identifier."""
    if len(numbers) < 2:
        return
    owner, other = draw.sample(range(len(numbers)), 2)
    path = tree.root / numbers[owner] / "visit1" / "misfiled.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ecg_head(draw, numbers[other], 1))
    place = path.relative_to(tree.root).as_posix()
    tree.recordings.append(Recording(other, "ecg", 1, place, carries_name=False))


def _add_namesakes(tree: Tree, draw: random.Random, people: int, used: set[str]) -> None:
    """Two more people of one number at two places, whose files do not say who they are."""
    number = f"N{draw.randint(100, 999)}"
    for person, site in ((people, "north"), (people + 1, "south")):
        for modality in draw.choice([("ecg", "cmr"), ("ecg",), ("cmr",)]):
            place = f"{site}/{number}/" + ("ecg" if modality == "ecg" else "dicom")
            _write(tree, draw, lambda *_, at=place: at, person, modality, 1, number, "", used)


def ecg_head(draw: random.Random, identifier: str, visit: int) -> bytes:
    """The start of a CardioSoft or MUSE file: enough to know the kind and the person."""
    year = 2010 + 3 * visit
    if draw.random() < 0.5:
        return (
            '<?xml version="1.0" encoding="ISO-8859-1"?><CardiologyXML><ObservationDateTime>'
            f"<Hour>9</Hour><Minute>30</Minute><Day>4</Day><Month>5</Month><Year>{year}</Year>"
            f"</ObservationDateTime><PatientInfo><PID>{identifier}</PID></PatientInfo>"
            "</CardiologyXML>"
        ).encode("latin-1")
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?><RestingECG><PatientDemographics>'
        f"<PatientID>{identifier}</PatientID></PatientDemographics><TestDemographics>"
        f"<AcquisitionTime>09:30:00</AcquisitionTime><AcquisitionDate>05-04-{year}"
        "</AcquisitionDate></TestDemographics></RestingECG>"
    ).encode("latin-1")


def dicom_head(identifier: str, study_uid: str, visit: int) -> bytes:
    """An MR image without pixels: file meta, patient, study, date (explicit little endian)."""

    def element(group: int, number: int, kind: bytes, value: bytes) -> bytes:
        padded = value + (b"\0" if kind == b"UI" else b" ") * (len(value) % 2)
        return struct.pack("<HH2sH", group, number, kind, len(padded)) + padded

    meta = element(2, 2, b"UI", MR_IMAGE.rstrip(b"\0"))
    meta += element(2, 0x10, b"UI", b"1.2.840.10008.1.2.1")
    body = element(8, 0x16, b"UI", MR_IMAGE.rstrip(b"\0"))
    body += element(8, 0x22, b"DA", f"{2010 + 3 * visit}0504".encode())
    body += element(0x10, 0x20, b"LO", identifier.encode("latin-1"))
    body += element(0x20, 0xD, b"UI", study_uid.encode())
    return bytes(128) + b"DICM" + element(2, 0, b"UL", struct.pack("<L", len(meta))) + meta + body
