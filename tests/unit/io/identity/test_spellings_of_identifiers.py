"""Identifiers as systems dress them up, words for nobody, several people under one number."""

from pathlib import PurePath
from typing import Any

import pytest

from ptacl_core.io.identity.conflicts import parse_birth
from ptacl_core.io.identity.facts import (
    InsideFacts,
    clean_identifier,
    find_issuer,
    fold_identifier,
)
from ptacl_core.io.identity.names import split_name
from ptacl_core.io.identity.resolve import Evidence, resolve_people

SAME = [
    ("1234567", "0001234567", "1234567^^^WARD&1.2.840&ISO", "1234567@WARD", "MRN: 1234567"),
    ("1234567", '"1234567"', "1234567.0", "123-456-7", "1234567^4^M11^HOSP^MR"),
    ("DOE^JOHN", "DOE, JOHN", "Doe John", "doe^john^^^"),
]


@pytest.mark.parametrize("spellings", SAME)
def test_one_identifier_however_it_is_dressed(spellings):
    assert len({fold_identifier(spelling) for spelling in spellings}) == 1


def test_the_issuer_is_told_apart():
    assert find_issuer("17^^^North&1.2&ISO") == "north"
    assert find_issuer("17@South") == "south"
    assert find_issuer("DOE^JOHN") == find_issuer("17") == ""


@pytest.mark.parametrize(
    "text", ["Anonymous^Patient", "PSEUDO", "de-id", "no ID", "inconnu", "unbekannt", "匿名"]
)
def test_words_for_nobody(text):
    assert clean_identifier(text) == ""


def test_surnames_that_are_words_of_a_kind_stay():
    names = ("Long_John", "Short_John", "Day_Doris", "H100_short", "petit axe", "Herz-MRT")
    assert [split_name(name).core for name in names] == [
        "Long_John",
        "Short_John",
        "Day_Doris",
        "H100",
        "",
        "",
    ]


def recording(place: str, identifier: str, **facts: Any) -> Evidence:
    modality = "ecg" if "ecg" in place else "cmr"
    return Evidence(PurePath("source") / place, modality, InsideFacts(identifier, "dicom", **facts))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"sex": "M"}, {"sex": "F"}),
        ({"birth_date": "19500102"}, {"birth_date": "01-03-1950"}),
    ],
)
def test_two_people_of_one_identifier_are_left_out(ours, theirs):
    people = resolve_people(
        [
            recording("a/ecg", "9000001", **ours),
            recording("b/dicom", "9000001", **theirs),
            recording("c/ecg", "9000002", **ours),
        ]
    )
    assert [person.subject for person in people] == ["", "", "9000002"]
    assert people[0].reason == "identity_contradicts"


def test_numbers_of_two_issuers_or_sites_are_not_one_person():
    people = resolve_people([recording("ecg1", "17123^^^North"), recording("mr1", "17123^^^South")])
    assert [person.subject for person in people] == ["", ""]
    places = [f"{site}/001/{kind}" for site in ("siteA", "siteB") for kind in ("ecg", "dicom")]
    people = resolve_people([recording(place, "001") for place in places])
    assert {person.subject for person in people} == {""}


def test_birth_dates_of_every_format():
    texts = ("19500102", "1950-01-02", "01-02-1950", "02-JAN-1950", "9e070102")
    assert len({parse_birth(text) for text in texts}) == 1
    assert parse_birth("19000101") is parse_birth("") is parse_birth("X") is None


def test_names_that_differ_in_spelling_alone_are_one_person():
    places = ("ecg/P17", "dicom/P0017", "ecg/M\u00fcller1", "dicom/Mu\u0308ller1")
    people = resolve_people([recording(place, "") for place in places])
    assert [person.subject for person in people][::2] == [person.subject for person in people][1::2]
    assert len({person.subject for person in people} - {""}) == 2
