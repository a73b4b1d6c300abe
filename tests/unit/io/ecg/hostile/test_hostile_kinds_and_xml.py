"""Paths that are no files, files that are no ECGs, XML that attacks: refused by name."""

import os
from pathlib import Path

import numpy as np
import pytest

from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError


def case(name, build, error, words, hints=None):
    return pytest.param(build, error, words, hints or {}, id=name)


def fifo(shop) -> Path:
    path = shop.folder / "pipe.dat"
    os.mkfifo(path)
    return path


PATHS = [
    case("missing", lambda s: s.folder / "no.hea", UnreadableFileError, ("no.hea", "no such file")),
    case("missing stem", lambda s: s.folder / "no", UnreadableFileError, ("no such file",)),
    case("folder", lambda s: s.folder, UnreadableFileError, ("expected a file, found a folder",)),
    case(
        "empty", lambda s: s.save("a.xml", b""), UnreadableFileError, ("a.xml", "empty (0 bytes)")
    ),
    case("empty header", lambda s: s.save("a.hea", b""), UnreadableFileError, ("a.hea", "empty")),
    case(
        "null byte in the path",
        lambda s: s.folder / "a\0b",
        UnreadableFileError,
        ("a␀b", "no such"),
    ),
    case(
        "endless name",
        lambda s: s.folder / ("a" * 5000),
        UnreadableFileError,
        ("path cannot be used",),
    ),
    case("pipe", fifo, UnreadableFileError, ("pipe.dat", "regular file")),
    case("device", lambda s: Path("/dev/zero"), UnreadableFileError, ("zero", "regular file")),
    case(
        "too big",
        lambda s: s.sparse("a.dcm", b"", 600 * 2**20),
        UnsupportedFormatError,
        ("600 MB", "512"),
    ),
    case(
        "too big text",
        lambda s: s.sparse("a.csv", b"1,2\n" * 20_000, 300 * 2**20),
        UnsupportedFormatError,
        ("300 MB", "256 MB"),
    ),
    case(
        "escape in the name",
        lambda s: s.save("a\x1b]0;x.xml", b""),
        UnreadableFileError,
        ("a␛]0;x.xml",),
    ),
]


KINDS = [
    case(
        "text as dat",
        lambda s: s.save("a.dat", "Dear colleague\n" * 9),
        UnsupportedFormatError,
        ("a.dat", "plain text"),
    ),
    case(
        "samples without header",
        lambda s: s.save("a.dat", bytes(range(256)) * 9),
        UnsupportedFormatError,
        ("WFDB header a.hea",),
    ),
    case(
        "mat without header",
        lambda s: s.save("a.mat", b"\x14" + bytes(99)),
        UnsupportedFormatError,
        ("a.hea",),
    ),
    case(
        "pdf",
        lambda s: s.save("a.pdf", b"%PDF-1.7 \x00"),
        UnsupportedFormatError,
        ("PDF", "picture"),
    ),
    case(
        "png",
        lambda s: s.save("a.dcm", b"\x89PNG\r\n\x1a\n\0\0"),
        UnsupportedFormatError,
        ("a picture",),
    ),
    case(
        "jpeg",
        lambda s: s.save("a.jpg", b"\xff\xd8\xff\xe0\0"),
        UnsupportedFormatError,
        ("a picture",),
    ),
    case(
        "gzip",
        lambda s: s.save("a.xml.gz", b"\x1f\x8b\x08\x00"),
        UnsupportedFormatError,
        ("unpack it",),
    ),
    case(
        "zip",
        lambda s: s.zip_of("a.zip", {"x.dcm": b"1"}),
        UnsupportedFormatError,
        ("ZIP archive",),
    ),
    case(
        "pickle",
        lambda s: s.save("a.pkl", b"\x80\x04\x95\0\0"),
        UnsupportedFormatError,
        ("pickle", "code"),
    ),
    case(
        "matlab 5",
        lambda s: s.save("a.mat", b"MATLAB 5.0 MAT-file" + bytes(200)),
        UnreadableFileError,
        ("MATLAB 5",),
    ),
    case(
        "ishne",
        lambda s: s.save("a.ecg", b"ISHNE1.0" + bytes(600)),
        UnreadableFileError,
        ("ISHNE",),
    ),
    case(
        "bdf",
        lambda s: s.save("a.bdf", b"\xffBIOSEMI" + bytes(600)),
        UnreadableFileError,
        ("number of signals",),
    ),
    case(
        "random bytes",
        lambda s: s.save("a.bin", np.random.default_rng(0).bytes(999)),
        UnsupportedFormatError,
        ("no known ECG format", "WFDB, DICOM"),
    ),
    case(
        "html",
        lambda s: s.save("a.xml", "<html><body/></html>"),
        UnsupportedFormatError,
        ("found root 'html'", "RestingECG"),
    ),
    case(
        "script root",
        lambda s: s.save("a.xml", "<a\u202eb>x</a>"),
        UnsupportedFormatError,
        ("root",),
    ),
]


XML = [
    case(
        "billion laughs",
        lambda s: s.save(
            "a.xml",
            '<?xml version="1.0"?><!DOCTYPE RestingECG ['
            '<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><RestingECG>&b;</RestingECG>',
        ),
        UnsupportedFormatError,
        ("entities", "never read"),
    ),
    case(
        "external entity",
        lambda s: s.save(
            "a.xml",
            "<!DOCTYPE RestingECG [<!ENTITY x SYSTEM "
            '"file:///etc/passwd">]><RestingECG>&x;</RestingECG>',
        ),
        UnsupportedFormatError,
        ("never read",),
    ),
    case(
        "doctype elsewhere",
        lambda s: s.save("a.xml", '<!DOCTYPE CardiologyXML SYSTEM "x.dtd"><CardiologyXML/>'),
        UnsupportedFormatError,
        ("document type",),
    ),
    case(
        "depth bomb",
        lambda s: s.save("a.xml", "<CardiologyXML>" + "<a>" * 5000),
        UnsupportedFormatError,
        ("nested deeper than 100",),
    ),
    case(
        "element bomb",
        lambda s: s.save("a.xml", "<CardiologyXML>" + "<a/>" * 500_001),
        UnsupportedFormatError,
        ("more than 500000 elements",),
    ),
    case(
        "attribute bomb",
        lambda s: s.save("a.xml", "<CardiologyXML " + "b='c' " * 400_000),
        UnsupportedFormatError,
        ("longer than 1 MB",),
    ),
    case(
        "wrong encoding",
        lambda s: s.save(
            "a.xml", b'<?xml version="1.0" encoding="utf-8"?><RestingECG>\xff\xfe\x80</RestingECG>'
        ),
        UnreadableFileError,
        ("damaged or cut short at line 1",),
    ),
    case(
        "unknown encoding",
        lambda s: s.save("a.xml", '<?xml version="1.0" encoding="ebcdic-x"?><RestingECG/>'),
        UnreadableFileError,
        ("encoding",),
    ),
    case(
        "utf-16 said, utf-8 meant",
        lambda s: s.save("a.xml", '<?xml version="1.0" encoding="utf-16"?><RestingECG/>'),
        UnreadableFileError,
        ("a.xml",),
    ),
    *[
        case(
            f"{name} cut at {keep}",
            lambda s, n=name, k=keep: s.truncated(n, k),
            UnreadableFileError,
            ("damaged or cut short at line",),
        )
        for name in (
            "HR06000_cardiosoft.xml",
            "HR06000_muse.xml",
            "hl7_Example_aECG.xml",
            "philips_1.04_demo.xml",
            "sierra_1.03_129DYPRG.xml",
        )
        for keep in (0.3, 0.95)
    ],
]

CASES = [*PATHS, *KINDS, *XML]


@pytest.mark.parametrize(("build", "error", "words", "hints"), CASES)
def test_bad_path_kind_or_xml_is_refused_in_words(expect_refusal, build, error, words, hints):
    expect_refusal(build, error, words, hints)
