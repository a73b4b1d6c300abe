"""Spellings of one identifier are one person; identifiers that differ stay two."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptacl_core.cohort.identity.spellings import canonical_identifier, list_spellings


@pytest.mark.parametrize(
    "spelling",
    [
        "9000017",
        " 9000017\r\n",
        '"9000017"',
        "9000017.0",
        "9000017.00",
        "009000017",
        "sub-9000017",
        "SUB-09000017",
        "Subject 9000017",
        "eid:9000017",
        "f.eid.9000017",
        "ukb9000017",
        "9000017_20205_2_0.xml",
        "9000017_20209_2_0.zip",
        "sub-9000017_ses-2_ecg.xml",
        "downloads/9000017_20205_2_0.xml",
        "9000017_ECG.XML",
        "9000017_rest",
        "９０００017",
        "000009000017",
        " 9000017;",
        "\ufeff9000017",
        "EID=9000017",
        "n_eid_9000017",
        "(9000017)",
        "#9000017",
        "9,000,017",
        "9 000 017",
        "+9000017",
        "9.000017E+06",
        "9000017e0",
        "9000017_2_0",
        "C:\\data\\9000017_20205_2_0.xml",
        "ecg_9000017.xml",
    ],
)
def test_every_spelling_of_an_identifier_is_the_same_person(spelling):
    assert canonical_identifier(spelling) == "9000017"


def test_a_spelling_is_listed_for_everything_that_is_recognised_in_names_of_files():
    listed = set(list_spellings("9000017.0"))
    assert {"9000017", "09000017", "9000017.0", "sub-9000017", "SUB_9000017"} <= listed
    assert {"9000017_ecg", "patient 9000017", "ID9000017"} <= listed
    assert {canonical_identifier(spelling) for spelling in listed} == {"9000017"}


@pytest.mark.parametrize(
    ("one", "other"),
    list(
        itertools.combinations(
            ["A12", "B12", "12", "A-1-2", "A-12", "20260101_0001", "20260101_0002", "NHS-1"], 2
        )
    ),
)
def test_identifiers_of_two_people_stay_two(one, other):
    assert canonical_identifier(one) != canonical_identifier(other)


@given(st.integers(min_value=1, max_value=10**9))
def test_no_number_is_the_person_of_another_number(number):
    forms = {canonical_identifier(spelling) for spelling in list_spellings(str(number))}
    assert forms == {str(number)}


@given(st.text(max_size=40))
def test_any_text_has_one_canonical_form_that_is_its_own(text):
    once = canonical_identifier(text)
    assert canonical_identifier(once) == canonical_identifier(canonical_identifier(once))
