"""Bad SCP-ECG and EDF files: refused by name, with what was expected."""

import struct
from pathlib import Path

import pytest

from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError


def case(name, build, error, words, hints=None):
    return pytest.param(build, error, words, hints or {}, id=name)


def scp_with(shop, position: int, new: bytes, *, mend: bool = False) -> Path:
    data = bytearray(shop.files.scp_bytes(shop.steps()))
    data[position : position + len(new)] = new
    if mend:
        data[:2] = struct.pack("<H", shop.files.compute_crc(bytes(data[2:])))
    return shop.save("a.scp", bytes(data))


def scp_section_start(shop, number: int) -> int:
    """Offset of a section in the file that `scp_with` changes."""
    data = shop.files.scp_bytes(shop.steps())
    return struct.unpack_from("<I", data, 22 + 10 * number + 6)[0] - 1


SCP = [
    *[
        case(
            f"cut at {keep}",
            lambda s, k=keep: s.sample(
                "ecgtoolkit_Example.scp", lambda data: data[: int(len(data) * k)]
            ),
            UnreadableFileError,
            ("states 34144 bytes",),
        )
        for keep in (0.01, 0.1, 0.5, 0.999)
    ],
    case(
        "longer than it says",
        lambda s: s.sample("ecgtoolkit_Example.scp", lambda data: data + b"\0"),
        UnreadableFileError,
        ("34144", "34145"),
    ),
    case("no rhythm", lambda s: s.scp(without=(6,)), UnsupportedFormatError, ("sections 3 and 6",)),
    case("no leads", lambda s: s.scp(without=(3,)), UnsupportedFormatError, ("sections 3 and 6",)),
    case(
        "reference beat subtracted",
        lambda s: s.scp(flags=0b1100101),
        UnreadableFileError,
        ("reference beat", "sections 4 and 5 are missing"),
    ),
    case("bimodal", lambda s: s.scp(bimodal=1), UnreadableFileError, ("sections 4 and 5",)),
    case("no resolution", lambda s: s.scp(nanovolts=0), UnreadableFileError, ("0 nV per step",)),
    case("no interval", lambda s: s.scp(interval_us=0), UnreadableFileError, ("0 us per sample",)),
    case(
        "third differences",
        lambda s: s.save(
            "a.scp",
            s.files.scp_file(
                {
                    3: struct.pack("<BB", 12, 100)
                    + b"".join(struct.pack("<IIB", 1, 9, c) for c in s.files.SCP_CODES.values()),
                    6: struct.pack("<HHBB", 5, 5, 3, 0) + bytes(99),
                }
            ),
        ),
        UnreadableFileError,
        ("difference order 3",),
    ),
    case(
        "leads not simultaneous",
        lambda s: s.scp(extents=[(1, 400)] * 11 + [(2, 401)]),
        UnsupportedFormatError,
        ("start or end at different samples",),
    ),
    case(
        "four billion samples",
        lambda s: s.scp(extents=[(1, 2**32 - 1)] * 12),
        UnsupportedFormatError,
        ("more than",),
    ),
    case(
        "end before start",
        lambda s: s.scp(extents=[(400, 1)] * 12),
        UnreadableFileError,
        ("samples",),
    ),
    case(
        "fewer samples than stated",
        lambda s: s.scp(extents=[(1, 4000)] * 12),
        UnreadableFileError,
        ("states 4000 samples", "holds"),
    ),
    case(
        "foreign leads",
        lambda s: s.scp(codes=range(30, 42)),
        UnsupportedFormatError,
        ("0 of them in 12",),
    ),
    case(
        "switched tables",
        lambda s: s.scp(table=struct.pack("<H", 3)),
        UnsupportedFormatError,
        ("3 switched Huffman tables",),
    ),
    case(
        "table with a switch",
        lambda s: s.scp(table=struct.pack("<HHBBBhI", 1, 1, 1, 1, 0, 0, 0)),
        UnsupportedFormatError,
        ("switch",),
    ),
    case(
        "table that is no prefix code",
        lambda s: s.scp(table=struct.pack("<HH", 1, 2) + struct.pack("<BBBhI", 1, 1, 1, 0, 0) * 2),
        UnreadableFileError,
        ("Huffman table",),
    ),
    case(
        "table cut",
        lambda s: s.scp(table=struct.pack("<HH", 1, 400)),
        UnreadableFileError,
        ("section 2 is cut short",),
    ),
    case(
        "damaged samples",
        lambda s: scp_with(s, scp_section_start(s, 6) + 500, b"\x55\xaa"),
        UnreadableFileError,
        ("checksum of SCP section 6",),
    ),
    case(
        "another section's id",
        lambda s: scp_with(s, scp_section_start(s, 3) + 2, struct.pack("<H", 9)),
        UnreadableFileError,
        ("expected SCP section 3, found 9",),
    ),
    case(
        "pointer beyond the file",
        lambda s: scp_with(s, 22 + 60 + 6, struct.pack("<I", 2**31)),
        UnreadableFileError,
        ("section 6", "beyond"),
    ),
    case(
        "pointer list of 4 GB",
        lambda s: scp_with(s, 10, struct.pack("<I", 2**32 - 1)),
        UnreadableFileError,
        ("section list",),
    ),
]


EDF = [
    case(
        "discontinuous",
        lambda s: s.edf(reserved="EDF+D"),
        UnreadableFileError,
        ("EDF+D", "times of its records"),
    ),
    case(
        "cut header",
        lambda s: s.sample("HR06000.edf", lambda data: data[:300]),
        UnreadableFileError,
        ("3328 bytes", "has 300"),
    ),
    case(
        "half a header",
        lambda s: s.sample("HR06000.edf", lambda data: data[:200]),
        UnreadableFileError,
        ("256 bytes", "found 200"),
    ),
    case(
        "cut samples",
        lambda s: s.sample("HR06000.edf", lambda data: data[:-1001]),
        UnreadableFileError,
        ("states 10 records", "holds 9"),
    ),
    case(
        "no samples",
        lambda s: s.sample("HR06000.edf", lambda data: data[:3328]),
        UnreadableFileError,
        ("holds 0",),
    ),
    case(
        "too many records",
        lambda s: s.edf(num_records="99999999"),
        UnreadableFileError,
        ("states 99999999 records",),
    ),
    case(
        "records are a word", lambda s: s.edf(num_records="many"), UnreadableFileError, ("records",)
    ),
    case(
        "no signals", lambda s: s.edf(num_signals="0"), UnreadableFileError, ("number of signals",)
    ),
    case(
        "9999 signals",
        lambda s: s.edf(num_signals="9999"),
        UnreadableFileError,
        ("number of signals",),
    ),
    case(
        "header size wrong",
        lambda s: s.edf(header_bytes="512"),
        UnreadableFileError,
        ("states 512",),
    ),
    case("record of 0 s", lambda s: s.edf(record_s="0"), UnreadableFileError, ("record duration",)),
    case(
        "record of nan s",
        lambda s: s.edf(record_s="nan"),
        UnreadableFileError,
        ("record duration",),
    ),
    case("record of 1e-9 s", lambda s: s.edf(record_s="1e-9"), UnreadableFileError, ("5e+11 Hz",)),
    case("no unit", lambda s: s.edf(units=""), MissingUnitError, ("dimension of lead I", "unit=")),
    case("unit is no voltage", lambda s: s.edf(units="degC"), MissingUnitError, ("degC",)),
    case(
        "physical range empty",
        lambda s: s.edf(physical=("5", "5")),
        UnreadableFileError,
        ("empty",),
    ),
    case(
        "digital range empty", lambda s: s.edf(digital=("7", "7")), UnreadableFileError, ("empty",)
    ),
    case(
        "range is a word",
        lambda s: s.edf(physical=("low", "high")),
        UnreadableFileError,
        ("not written as numbers",),
    ),
    case(
        "eeg",
        lambda s: s.edf(labels=[f"EEG C{n}" for n in range(12)]),
        UnsupportedFormatError,
        ("0 of them in 12 channels",),
    ),
]

CASES = [*SCP, *EDF]


@pytest.mark.parametrize(("build", "error", "words", "hints"), CASES)
def test_bad_recording_is_refused_in_words(expect_refusal, build, error, words, hints):
    expect_refusal(build, error, words, hints)
