"""Lead names in every spelling, derivation of limb leads, Einthoven's law."""

import numpy as np
import pytest

from ptacl_core.io.ecg.leads import (
    check_limb_leads,
    compute_limb_residuals_mv,
    derive_limb_leads,
    find_lead,
    find_missing_leads,
)
from ptacl_core.records import LEAD_NAMES

LIMB = LEAD_NAMES[:6]


@pytest.mark.parametrize("lead", LEAD_NAMES)
def test_every_spelling_met_in_files_is_the_lead(lead):
    spellings = [lead, lead.upper(), lead.lower(), f"ECG {lead}", f"EKG_{lead}", f"Lead {lead}"]
    spellings += [f"MDC_ECG_LEAD_{lead.upper()}", f"Lead {lead} (Einthoven)", f"  {lead} "]
    spellings += [f"ECG Lead {lead}", f"lead_{lead}", f"ECG-{lead}", f"ecg:{lead}"]
    assert {find_lead(spelling) for spelling in spellings} == {lead}


@pytest.mark.parametrize(
    ("label", "lead"),
    [("D1", "I"), ("DII", "II"), ("D III", "III"), ("aV R", "aVR"), ("V-1", "V1"), ("V 6", "V6")],
)
def test_spellings_of_other_languages_and_blanks(label, lead):
    assert find_lead(label) == lead


@pytest.mark.parametrize(
    "label",
    [
        "-aVR",
        "I-II",
        "II-I",
        "V1-V2",
        "V7",
        "V3R",
        "VX",
        "vy",
        "MLII",
        "2",
        "3",
        "1",
        "",
        "IIII",
        "I I",
        "LEAD",
        "ECG",
        "C1",
        "aVX",
        "V0",
        "V10",
        "I+II",
        "EDF Annotations",
        "Ⅱ",
        "Resp",
    ],
)
def test_what_is_no_standard_lead_never_becomes_one(label):
    assert find_lead(label) is None


def test_any_two_limb_leads_give_the_other_four_exactly():
    generator = np.random.default_rng(1)
    one, two = generator.normal(size=(2, 50)).astype(np.float64)
    truth = {
        "I": one,
        "II": two,
        "III": two - one,
        "aVR": -(one + two) / 2,
        "aVL": one - two / 2,
        "aVF": two - one / 2,
    }
    for first in LIMB:
        for second in LIMB:
            if first == second:
                continue
            given = {lead: truth[lead].astype(np.float32) for lead in (first, second)}
            derived = derive_limb_leads(given)
            assert set(derived) | {first, second} == set(LIMB)
            for lead, signal_mv in derived.items():
                np.testing.assert_allclose(signal_mv, truth[lead], atol=2e-6)


def test_one_limb_lead_is_too_few():
    with pytest.raises(ValueError, match="two limb leads"):
        derive_limb_leads({"I": np.zeros(3, np.float32)})


def test_missing_leads_are_those_that_cannot_be_derived():
    precordial = list(LEAD_NAMES[6:])
    assert find_missing_leads(["I", "II", *precordial]) == ()
    assert find_missing_leads(["aVR", "III", *precordial]) == ()
    assert find_missing_leads(["I", "II", *precordial[1:]]) == ("V1",)
    assert find_missing_leads(["II", *precordial]) == ("I", "III", "aVR", "aVL", "aVF")


@pytest.fixture
def lawful_mv():
    generator = np.random.default_rng(2)
    signal_mv = generator.normal(size=(12, 400)).astype(np.float32)
    derived = derive_limb_leads({"I": signal_mv[0], "II": signal_mv[1]})
    for lead, row in derived.items():
        signal_mv[LEAD_NAMES.index(lead)] = row
    return signal_mv


def test_einthoven_holds_for_derived_leads(lawful_mv):
    assert max(compute_limb_residuals_mv(lawful_mv[:6]).values()) < 1e-6
    assert check_limb_leads(lawful_mv) is None


def test_mimic_order_shows_and_is_named(lawful_mv):
    finding = check_limb_leads(lawful_mv[[0, 1, 2, 3, 5, 4, 6, 7, 8, 9, 10, 11]])
    assert finding is not None and finding.code == "einthoven_mismatch"
    assert finding.leads == ("aVL", "aVF")
    assert "with aVL and aVF exchanged they agree" in finding.message


def test_one_wrong_sample_shows(lawful_mv):
    lawful_mv[2, 123] += 0.2
    finding = check_limb_leads(lawful_mv)
    assert finding is not None and finding.leads == ("III",) and "0.200 mV" in finding.message


def test_missing_samples_do_not_hide_a_mismatch(lawful_mv):
    lawful_mv[0, :50] = np.nan
    assert check_limb_leads(lawful_mv) is None
    lawful_mv[3, 300] += 1.0
    assert check_limb_leads(lawful_mv) is not None
