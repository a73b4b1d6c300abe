"""Whose a recording is: agreement, decision, silence and contradiction, case by case."""

from pathlib import PurePath

import pytest

from ptacl_core.io.identity.facts import InsideFacts, clean_identifier, fold_identifier
from ptacl_core.io.identity.names import split_name
from ptacl_core.io.identity.resolve import Evidence, resolve_people


def ecg(place: str, inside: str = "", **more) -> Evidence:
    return Evidence(PurePath("source") / place, "ecg", InsideFacts(inside, "muse"), **more)


def cmr(place: str, inside: str = "", sex: str = "", **more) -> Evidence:
    facts = InsideFacts(inside, "dicom", sex=sex)
    return Evidence(PurePath("source") / place, "cmr", facts, **more)


def subjects(*recordings: Evidence) -> list[str]:
    return [person.subject for person in resolve_people(recordings)]


def reasons(*recordings: Evidence) -> list[str]:
    return [person.reason for person in resolve_people(recordings)]


def test_the_identifier_inside_goes_before_folders_that_say_nothing():
    assert subjects(
        ecg("export_17/ecg", "H100"), cmr("304060755859", "h100 "), ecg("visit1/ecg", "H200")
    ) == ["H100", "H100", "H200"]


def test_folders_of_the_same_name_are_not_one_person():
    people = resolve_people([cmr("H100/visit1", "H100"), ecg("H200/visit1/ecg", "H200")])
    assert [(person.subject, person.visit) for person in people] == [("H100", "1"), ("H200", "1")]


def test_a_series_number_below_a_word_of_the_kind_is_nobody():
    assert subjects(
        ecg("H100/ecg"), cmr("H100/dicom/003"), ecg("H200/ecg"), cmr("H200/dicom/003")
    ) == ["H100", "H100", "H200", "H200"]


def test_one_patients_folder_is_that_patient():
    evidence = [Evidence(PurePath("P9/ecg"), "ecg"), Evidence(PurePath("P9/dicom"), "cmr")]
    assert subjects(*evidence) == ["P9", "P9"]


def test_a_file_that_carries_anothers_identifier_is_left_out():
    assert reasons(cmr("H200/cine", "H100"), ecg("H200/ecg", "H200"), cmr("H100/cine", "H100")) == [
        "identity_contradicts",
        "",
        "",
    ]


def test_a_recording_that_says_nothing_in_a_folder_of_two_people_is_left_out():
    assert reasons(ecg("day/a/ecg", "H100"), cmr("day/a/cine", "H200"), cmr("day/a/dicom")) == [
        "",
        "",
        "identity_contradicts",
    ]


@pytest.mark.parametrize("nobody", ["", "  ", "ANONYMOUS", "anon17", "0000", "Unknown", "removed"])
def test_blank_and_placeholder_identifiers_are_no_evidence(nobody):
    assert clean_identifier(nobody) == ""
    assert subjects(
        ecg("P1/ecg", nobody), cmr("P1/cine", nobody), ecg("P2/ecg", nobody), cmr("P2/cine", nobody)
    ) == ["P1", "P1", "P2", "P2"]


def test_one_identifier_for_many_named_pairs_is_a_constant():
    recordings = [
        make(f"P{n}/{kind}", "STUDY42")
        for n in range(1, 4)
        for make, kind in ((ecg, "ecg"), (cmr, "cine"))
    ]
    assert subjects(*recordings) == ["P1", "P1", "P2", "P2", "P3", "P3"]


def test_one_identifier_with_two_sexes_is_a_constant():
    people = subjects(cmr("P1/cine", "STUDY42", sex="F"), cmr("P2/cine", "STUDY42", sex="M"))
    assert people == ["P1", "P2"]


def test_ecg_and_cmr_coded_apart_are_told_by_their_folders():
    assert subjects(
        ecg("P1/ecg", "4711"),
        cmr("P1/cine", "a9f03c"),
        ecg("P2/ecg", "4712"),
        cmr("P2/cine", "b1e77d"),
    ) == ["P1", "P1", "P2", "P2"]


def test_codes_of_the_images_give_way_to_identifiers_in_paths():
    assert subjects(
        ecg("H100/ecg", "H100"),
        cmr("H100/cine", "a9f03c"),
        ecg("H200/ecg", "H200"),
        cmr("H200/cine", "b1e77d"),
    ) == ["H100", "H100", "H200", "H200"]


def test_the_same_number_in_two_places_is_not_guessed():
    assert set(reasons(ecg("north/N1/ecg"), cmr("south/N1/cine"))) == {"same_name_elsewhere"}
    assert subjects(ecg("north/N1/ecg", "N1"), cmr("south/N1/cine", "N1")) == ["N1", "N1"]


def test_a_name_of_another_kind_than_those_that_are_people_tells_nobody():
    people = resolve_people([ecg("H100/ecg", "H100"), cmr("scan_9931/cine"), cmr("H101/cine")])
    assert [person.subject for person in people] == ["H100", "", "H101"]
    assert people[1].reason == "identity_unknown"


def test_a_list_decides_and_a_recognised_layout_yields_to_anothers_identifier():
    firm = [
        ecg("a", "H200", subject="H100", decided_by="list"),
        ecg("b", subject="H200", decided_by="list"),
    ]
    assert subjects(*firm) == ["H100", "H200"]
    evidence = [
        ecg("a", "H200", subject="H100", decided_by="layout", is_firm=False),
        ecg("b", "H200", subject="H200", decided_by="layout", is_firm=False),
    ]
    assert reasons(*evidence) == ["identity_contradicts", ""]


def test_no_message_holds_an_identifier():
    people = resolve_people(
        [
            cmr("H200/cine", "H100"),
            ecg("H200/ecg", "H200"),
            cmr("H100/cine", "H100"),
            ecg("north/N1/ecg"),
            ecg("south/N1/ecg"),
        ]
    )
    left_out = [person for person in people if person.reason]
    assert len(left_out) == 3
    assert not any(text in person.message for person in left_out for text in ("H100", "H200", "N1"))
    assert all("--pairs" in person.message for person in left_out)


@pytest.mark.parametrize(
    ("name", "core", "visit"),
    [
        ("sub-01_ses-2_acq-sax_cine", "01", "2"),
        ("H100_visit1", "H100", "1"),
        ("H100-followup", "H100", "followup"),
        ("A0S9V9_sa", "A0S9V9", ""),
        ("20200102_H100", "H100", "20200102"),
        ("MUSE_20180113_171327_27000", "", ""),
        ("IM-0001-0012", "", ""),
        ("1.2.840.113619.2.55", "", ""),
        ("patient_7", "7", ""),
        ("9000001", "9000001", ""),
        ("ecg2", "", "2"),
    ],
)
def test_names(name, core, visit):
    part = split_name(name)
    assert (part.core, part.visit) == (core, visit)


@pytest.mark.parametrize(("one", "other"), [("H-100", "h100"), ("0042", "42"), (" A_1 ", "a1")])
def test_spellings_of_one_identifier(one, other):
    assert fold_identifier(one) == fold_identifier(other)
    assert fold_identifier("H100") != fold_identifier("H1000")
