"""Bad WFDB records: refused by name, with what was expected."""

import pytest

from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError


def case(name, build, error, words, hints=None):
    return pytest.param(build, error, words, hints or {}, id=name)


CASES = [
    case(
        "header of prose",
        lambda s: s.save("a.hea", "hello\nworld\n"),
        UnreadableFileError,
        ("WFDB header",),
    ),
    case(
        "only comments",
        lambda s: s.save("a.hea", "# Zebulon-Quux-7781\n"),
        UnreadableFileError,
        ("WFDB header", "found none"),
    ),
    case(
        "signal count is a word",
        lambda s: s.wfdb("rec 12 ", "rec twelve "),
        UnreadableFileError,
        ("number of signals",),
    ),
    case(
        "a billion signals",
        lambda s: s.wfdb("rec 12 ", "rec 1000000000 "),
        UnreadableFileError,
        ("1000000000",),
    ),
    case("no signals", lambda s: s.wfdb("rec 12 ", "rec 0 "), UnreadableFileError, ("says 0",)),
    case(
        "lines missing",
        lambda s: s.wfdb("rec 12 ", "rec 14 "),
        UnreadableFileError,
        ("promises 14 signals", "describes 12"),
    ),
    case(
        "rate is a word",
        lambda s: s.wfdb(" 500 400", " fast 400"),
        UnreadableFileError,
        ("sampling rate",),
    ),
    case("rate 0", lambda s: s.wfdb(" 500 400", " 0 400"), MissingUnitError, ("sampling rate",)),
    case("rate 1e300", lambda s: s.wfdb(" 500 400", " 1e300 400"), UnreadableFileError, ("Hz",)),
    case(
        "samples are a word",
        lambda s: s.wfdb(" 500 400", " 500 many"),
        UnreadableFileError,
        ("number of samples",),
    ),
    case(
        "a terasample",
        lambda s: s.wfdb(" 500 400", " 500 1000000000000"),
        UnsupportedFormatError,
        ("24 h",),
    ),
    case(
        "more samples than stored",
        lambda s: s.wfdb(" 500 400", " 500 401"),
        UnreadableFileError,
        ("promises 401 samples", "holds 400"),
    ),
    case(
        "no signal file",
        lambda s: s.wfdb("rec.dat", "gone.dat"),
        UnreadableFileError,
        ("gone.dat", "no such file"),
    ),
    case(
        "signal file elsewhere",
        lambda s: s.wfdb("rec.dat", "../rec.dat"),
        UnsupportedFormatError,
        ("beside its header",),
    ),
    case(
        "absolute signal file",
        lambda s: s.wfdb("rec.dat", "/etc/passwd"),
        UnsupportedFormatError,
        ("beside its header",),
    ),
    case(
        "signal file is a folder",
        lambda s: s.wfdb("rec.dat", ".."),
        UnsupportedFormatError,
        ("beside its header",),
    ),
    case(
        "flac",
        lambda s: s.wfdb(" 16 200", " 516 200"),
        UnreadableFileError,
        ("FLAC",),
    ),
    case(
        "format is a word",
        lambda s: s.wfdb(" 16 200", " pcm 200"),
        UnreadableFileError,
        ("storage format", "signal 1"),
    ),
    case(
        "gain is a word", lambda s: s.wfdb("200(0)/mV", "loud/mV"), UnreadableFileError, ("gain",)
    ),
    case(
        "unit is no voltage",
        lambda s: s.wfdb("200(0)/mV", "200(0)/mmHg"),
        MissingUnitError,
        ("mmHg",),
    ),
    case(
        "gain tiny",
        lambda s: s.wfdb("200(0)/mV", "1e-300(0)/mV"),
        UnreadableFileError,
        ("voltage",),
    ),
    case(
        "offset beyond the file",
        lambda s: s.wfdb(" 16 ", " 16+99999 "),
        UnreadableFileError,
        ("byte 99999", "9600 bytes"),
    ),
    case(
        "empty signal file",
        lambda s: (s.wfdb(), s.save("rec.dat", b""))[1],
        UnreadableFileError,
        ("rec.dat", "empty"),
    ),
    case(
        "cut signal file",
        lambda s: (s.wfdb(), s.save("rec.dat", bytes(9599)), s.folder / "rec")[2],
        UnreadableFileError,
        ("promises 400", "holds 399"),
    ),
    case(
        "text as signal file",
        lambda s: (s.wfdb(), s.save("rec.dat", "some text " * 999), s.folder / "rec")[2],
        UnreadableFileError,
        ("rec.dat", "found text"),
    ),
    case(
        "leads at two rates",
        lambda s: s.wfdb("16 200(0)/mV 16 0", "16x2 200(0)/mV 16 0", labels=["I"] * 12),
        UnsupportedFormatError,
        ("missing",),
    ),
    case(
        "three leads",
        lambda s: s.wfdb(labels=["I", "II", "V1"] + ["x"] * 9),
        UnsupportedFormatError,
        ("V2, V3, V4, V5, V6", "3 of them in 12 channels"),
    ),
    case(
        "no names", lambda s: s.wfdb(labels=[""] * 12), UnsupportedFormatError, ("0 of them in 12",)
    ),
    case(
        "baseline is a word",
        lambda s: s.wfdb("200(0)/mV 16 0", "200/mV 16 zero"),
        UnreadableFileError,
        ("ADC zero",),
    ),
    case(
        "twenty-digit checksum",
        lambda s: s.wfdb(" 0 V6", "9" * 20 + " 0 V6"),
        UnreadableFileError,
        ("checksum",),
    ),
]


@pytest.mark.parametrize(("build", "error", "words", "hints"), CASES)
def test_bad_record_is_refused_in_words(expect_refusal, build, error, words, hints):
    expect_refusal(build, error, words, hints)
