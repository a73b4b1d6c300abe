"""Bad aECG and Philips files: refused by name, with what was expected."""

import numpy as np
import pytest

from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError


def case(name, build, error, words, hints=None):
    return pytest.param(build, error, words, hints or {}, id=name)


AECG = [
    case(
        "no series",
        lambda s: s.save("a.xml", s.files.aecg_xml()),
        UnsupportedFormatError,
        ("series",),
    ),
    case(
        "no time",
        lambda s: s.save(
            "a.xml", s.files.aecg_xml(s.files.aecg_series(s.steps(), time="<component/>"))
        ),
        MissingUnitError,
        ("increment", "sampling_rate_hz="),
    ),
    case(
        "time of no unit",
        lambda s: s.swapped(
            "hl7_Example_aECG.xml",
            '<increment value="0.002" unit="s"/>',
            '<increment value="0.002" unit="fortnight"/>',
        ),
        MissingUnitError,
        ("increment",),
    ),
    case(
        "negative time step",
        lambda s: s.swapped(
            "hl7_Example_aECG.xml",
            '<increment value="0.002" unit="s"/>',
            '<increment value="-0.002" unit="s"/>',
        ),
        MissingUnitError,
        ("positive increment",),
    ),
    case(
        "no scale",
        lambda s: s.swapped("hl7_Example_aECG.xml", '<scale value="2.5" unit="uV"/>', ""),
        MissingUnitError,
        ("lead I scale",),
    ),
    case(
        "scale of no unit",
        lambda s: s.swapped(
            "hl7_Example_aECG.xml", '<scale value="2.5" unit="uV"/>', '<scale value="2.5"/>'
        ),
        MissingUnitError,
        ("lead I scale",),
    ),
    case(
        "scale 0",
        lambda s: s.swapped(
            "hl7_Example_aECG.xml", '<scale value="2.5" unit="uV"/>', '<scale value="0" unit="uV"/>'
        ),
        UnreadableFileError,
        ("0 mV per step",),
    ),
    case(
        "words as digits",
        lambda s: s.save(
            "a.xml",
            s.files.aecg_xml(s.files.aecg_series(s.steps()).replace("<digits>", "<digits>Quux ")),
        ),
        UnreadableFileError,
        ("lead I",),
    ),
    case(
        "empty digits",
        lambda s: s.save(
            "a.xml", s.files.aecg_xml(s.files.aecg_series(np.zeros((12, 0), np.int64)))
        ),
        UnreadableFileError,
        ("found 0 per lead",),
    ),
    case(
        "series asked for is absent",
        lambda s: s.save("a.xml", s.files.aecg_xml(s.files.aecg_series(s.steps()))),
        UnsupportedFormatError,
        ("record_index 4", "holds 1"),
        {"record_index": 4},
    ),
]


PHILIPS = [
    case(
        "no waveforms",
        lambda s: s.save(
            "a.xml", s.files.philips_xml(s.steps()).replace("parsedwaveforms", "otherwaveforms")
        ),
        UnsupportedFormatError,
        ("parsedwaveforms",),
    ),
    case(
        "other encoding",
        lambda s: s.save("a.xml", s.files.philips_xml(s.steps(), encoding="Plain")),
        UnsupportedFormatError,
        ("Base64",),
    ),
    case(
        "other compression",
        lambda s: s.save("a.xml", s.files.philips_xml(s.steps(), compression='compression="HUFF"')),
        UnsupportedFormatError,
        ("XLI",),
    ),
    case(
        "no duration",
        lambda s: s.save("a.xml", s.files.philips_xml(s.steps(), duration="")),
        UnreadableFileError,
        ("durationperchannel",),
    ),
    case(
        "too few samples",
        lambda s: s.save("a.xml", s.files.philips_xml(s.steps(), duration="900")),
        UnreadableFileError,
        ("need 10800 bytes", "found 9600"),
    ),
    case(
        "year-long claim",
        lambda s: s.save("a.xml", s.files.philips_xml(s.steps(), duration="31536000000")),
        UnsupportedFormatError,
        ("24 h",),
    ),
    case(
        "long compressed claim",
        lambda s: s.swapped(
            "sierra_1.03_129DYPRG.xml", 'durationperchannel="11000"', 'durationperchannel="9000000"'
        ),
        UnsupportedFormatError,
        ("compressed samples",),
    ),
    case(
        "other duration",
        lambda s: s.swapped(
            "sierra_1.03_129DYPRG.xml", 'durationperchannel="11000"', 'durationperchannel="9000"'
        ),
        UnreadableFileError,
        ("states 4500 samples", "or more"),
    ),
    case(
        "longer duration",
        lambda s: s.swapped(
            "sierra_1.03_129DYPRG.xml", 'durationperchannel="11000"', 'durationperchannel="12000"'
        ),
        UnreadableFileError,
        ("states 6000 samples", "hold 5500"),
    ),
    case(
        "compressed data cut",
        lambda s: s.save(
            "a.xml",
            s.files.philips_xml(s.steps(), compression='compression="XLI"', data="zAkAAAEA"),
        ),
        UnreadableFileError,
        ("lead 1 of 12", "cut short"),
    ),
    case(
        "negative chunk size",
        lambda s: s.save(
            "a.xml",
            s.files.philips_xml(
                s.steps(), compression='compression="XLI"', data="/////wAAAAA" + "A" * 57
            ),
        ),
        UnreadableFileError,
        ("lead 1 of 12",),
    ),
    case(
        "no resolution",
        lambda s: s.save("a.xml", s.files.philips_xml(s.steps(), resolution="")),
        MissingUnitError,
        ("resolution",),
    ),
    case(
        "names too few",
        lambda s: s.save("a.xml", s.files.philips_xml(s.steps(), labels="I II")),
        UnreadableFileError,
        ("states 12 leads and names 2",),
    ),
    case(
        "no names, odd acquisition",
        lambda s: s.save(
            "a.xml", s.files.philips_xml(s.steps(), labels="").replace("STD-12", "EXT-15")
        ),
        UnsupportedFormatError,
        ("12 named leads",),
    ),
    case(
        "no rate",
        lambda s: s.save("a.xml", s.files.philips_xml(s.steps(), rate="fast")),
        MissingUnitError,
        ("samplingrate",),
    ),
]

CASES = [*AECG, *PHILIPS]


@pytest.mark.parametrize(("build", "error", "words", "hints"), CASES)
def test_bad_xml_ecg_is_refused_in_words(expect_refusal, build, error, words, hints):
    expect_refusal(build, error, words, hints)
