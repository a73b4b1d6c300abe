"""Bad CardioSoft and MUSE files: refused by name, with what was expected."""

import numpy as np
import pytest

from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.records import LEAD_NAMES


def case(name, build, error, words, hints=None):
    return pytest.param(build, error, words, hints or {}, id=name)


CARDIOSOFT = [
    case(
        "exercise test",
        lambda s: s.save(
            "a.xml", s.files.cardiosoft_xml(s.steps()[:3], labels=("I", "2", "3"), num_leads="3")
        ),
        UnsupportedFormatError,
        ("6025", "chest"),
    ),
    case(
        "exercise by type",
        lambda s: s.save("a.xml", s.files.cardiosoft_xml(s.steps(), kind="ExerciseECG")),
        UnsupportedFormatError,
        ("exercise test",),
    ),
    case(
        "strips apart",
        lambda s: s.save(
            "a.xml",
            s.files.cardiosoft_xml(s.steps())
            .replace("<StripData>", "<StripData><Strip>")
            .replace("</StripData>", "</Strip></StripData>"),
        ),
        UnsupportedFormatError,
        ("separate strips",),
    ),
    case(
        "median only",
        lambda s: s.save(
            "a.xml", s.files.cardiosoft_xml(s.steps()).replace("StripData", "OtherData")
        ),
        UnsupportedFormatError,
        ("only a median beat",),
    ),
    case(
        "count too high",
        lambda s: s.save("a.xml", s.files.cardiosoft_xml(s.steps(), count="5000")),
        UnreadableFileError,
        ("states 5000 samples", "holds 400"),
    ),
    case(
        "lead count",
        lambda s: s.save("a.xml", s.files.cardiosoft_xml(s.steps(), num_leads="15")),
        UnreadableFileError,
        ("states 15 leads", "holds 12"),
    ),
    case(
        "no rate",
        lambda s: s.save("a.xml", s.files.cardiosoft_xml(s.steps(), rate="")),
        MissingUnitError,
        ("sampling rate", "SampleRate"),
    ),
    case(
        "zero rate",
        lambda s: s.save(
            "a.xml", s.files.cardiosoft_xml(s.steps(), rate="<SampleRate>0</SampleRate>")
        ),
        MissingUnitError,
        ("sampling rate",),
    ),
    case(
        "no resolution",
        lambda s: s.save("a.xml", s.files.cardiosoft_xml(s.steps(), resolution="")),
        MissingUnitError,
        ("StripData/Resolution",),
    ),
    case(
        "no unit",
        lambda s: s.save(
            "a.xml", s.files.cardiosoft_xml(s.steps(), resolution="<Resolution>5</Resolution>")
        ),
        MissingUnitError,
        ("voltage unit", "unit="),
    ),
    case(
        "resolution 0",
        lambda s: s.save(
            "a.xml",
            s.files.cardiosoft_xml(
                s.steps(), resolution='<Resolution units="uVperLsb">0</Resolution>'
            ),
        ),
        UnreadableFileError,
        ("0 mV per step",),
    ),
    case(
        "resolution huge",
        lambda s: s.save(
            "a.xml",
            s.files.cardiosoft_xml(
                s.steps(), resolution='<Resolution units="uVperLsb">1e300</Resolution>'
            ),
        ),
        UnreadableFileError,
        ("exceeds every voltage",),
    ),
    case(
        "words as samples",
        lambda s: s.swapped("HR06000_cardiosoft.xml", ",-12,", ",Quux,"),
        UnreadableFileError,
        ("expected numbers", "lead"),
    ),
    case(
        "gap in samples",
        lambda s: s.swapped("HR06000_cardiosoft.xml", ",-12,", ",,"),
        UnreadableFileError,
        ("empty value",),
    ),
    case(
        "eleven leads, V3 missing",
        lambda s: s.save(
            "a.xml",
            s.files.cardiosoft_xml(
                np.delete(s.steps(), 8, axis=0),
                labels=[n for n in LEAD_NAMES if n != "V3"],
                num_leads="11",
            ),
        ),
        UnsupportedFormatError,
        ("missing: V3", "cannot be derived"),
    ),
    case(
        "leads of unequal length",
        lambda s: s.save(
            "a.xml",
            s.files.cardiosoft_xml(s.steps(), count="").replace('lead="V6">\t', 'lead="V6">\t1,2,'),
        ),
        UnreadableFileError,
        ("equal length", "samples"),
    ),
    case(
        "rate 1e9",
        lambda s: s.save(
            "a.xml", s.files.cardiosoft_xml(s.steps(), rate="<SampleRate>1e9</SampleRate>")
        ),
        UnreadableFileError,
        ("1e+09 Hz",),
    ),
]


MUSE = [
    case(
        "median only",
        lambda s: s.save("a.xml", s.files.muse_of(s.steps(), rhythm_type="Median")),
        UnsupportedFormatError,
        ("type Rhythm", "found 2"),
    ),
    case(
        "base64 broken",
        lambda s: s.save(
            "a.xml", s.files.muse_of(s.steps()).replace("WaveFormData>\n", "WaveFormData>\n*")
        ),
        UnreadableFileError,
        ("base64", "lead"),
    ),
    case(
        "base64 cut",
        lambda s: s.save(
            "a.xml", s.files.muse_xml(s.files.muse_lead("I", s.steps()[0], data="AAA"))
        ),
        UnreadableFileError,
        ("lead",),
    ),
    case(
        "byte count",
        lambda s: s.save(
            "a.xml",
            s.files.muse_xml(s.files.muse_lead("I", s.steps()[0], bytes="10000"), num_leads=1),
        ),
        UnreadableFileError,
        ("10000 bytes of lead I", "800"),
    ),
    case(
        "sample count",
        lambda s: s.save(
            "a.xml",
            s.files.muse_xml(s.files.muse_lead("I", s.steps()[0], count="5000"), num_leads=1),
        ),
        UnreadableFileError,
        ("5000 samples of lead I",),
    ),
    case(
        "half a sample",
        lambda s: s.save(
            "a.xml",
            s.files.muse_xml(s.files.muse_lead("I", s.steps()[0], data="AAAA"), num_leads=1),
        ),
        UnreadableFileError,
        ("half a sample",),
    ),
    case(
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
        UnreadableFileError,
        ("states 12 leads", "holds 8"),
    ),
    case(
        "no unit",
        lambda s: s.save("a.xml", s.files.muse_of(s.steps()).replace("MICROVOLTS", "")),
        MissingUnitError,
        ("LeadAmplitudeUnits",),
    ),
    case(
        "foreign unit",
        lambda s: s.save("a.xml", s.files.muse_of(s.steps()).replace("MICROVOLTS", "FURLONGS")),
        MissingUnitError,
        ("FURLONGS",),
    ),
    case(
        "no units per bit",
        lambda s: s.save(
            "a.xml",
            s.files.muse_of(s.steps()).replace(
                ">5</LeadAmplitudeUnitsPerBit>", "></LeadAmplitudeUnitsPerBit>"
            ),
        ),
        MissingUnitError,
        ("LeadAmplitudeUnitsPerBit",),
    ),
    case(
        "four-byte samples",
        lambda s: s.save(
            "a.xml", s.files.muse_of(s.steps()).replace("<LeadSampleSize>2", "<LeadSampleSize>4")
        ),
        UnsupportedFormatError,
        ("2 bytes",),
    ),
    case(
        "no sample base",
        lambda s: s.save("a.xml", s.files.muse_of(s.steps(), base="")),
        MissingUnitError,
        ("SampleBase",),
    ),
    case(
        "wild exponent",
        lambda s: s.save("a.xml", s.files.muse_of(s.steps(), exponent="400")),
        UnreadableFileError,
        ("SampleExponent",),
    ),
    case(
        "limb lead missing",
        lambda s: s.save(
            "a.xml", s.files.muse_of(s.steps()).replace("<LeadID>II</LeadID>", "<LeadID>X</LeadID>")
        ),
        UnsupportedFormatError,
        ("limb leads", "missing: I"),
    ),
]

CASES = [*CARDIOSOFT, *MUSE]


@pytest.mark.parametrize(("build", "error", "words", "hints"), CASES)
def test_bad_xml_ecg_is_refused_in_words(expect_refusal, build, error, words, hints):
    expect_refusal(build, error, words, hints)
