"""Bad CSV and Parquet tables, missing facts: refused by name, with what is missing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.records import LEAD_NAMES

FACTS = {"lead_names": LEAD_NAMES, "unit": "mV", "sampling_rate_hz": 500}


def case(name, build, error, words, hints=None):
    return pytest.param(build, error, words, hints or {}, id=name)


def csv_of(shop, change: Callable[[list[str]], list[str]], **options: Any) -> Path:
    lines = shop.files.csv_text(shop.steps() * 0.005, **options).splitlines()
    return shop.save("a.csv", "\n".join(change(lines)))


def parquet_of(shop, columns: dict[str, Any], metadata: Any = None) -> Path:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table(columns)
    path = shop.folder / "a.parquet"
    parquet.write_table(table.replace_schema_metadata(metadata) if metadata else table, path)
    return path


CASES = [
    case(
        "no unit",
        lambda s: csv_of(s, lambda lines: lines),
        MissingUnitError,
        ("unit=", "sampling_rate_hz="),
    ),
    case(
        "no rate",
        lambda s: csv_of(s, lambda lines: lines),
        MissingUnitError,
        ("sampling_rate_hz=",),
        {"unit": "mV"},
    ),
    case(
        "names of no leads",
        lambda s: csv_of(s, lambda lines: lines, names=list("abcdefghijkl")),
        MissingUnitError,
        ("lead_names=",),
        {"unit": "mV", "sampling_rate_hz": 500},
    ),
    case(
        "names only",
        lambda s: csv_of(s, lambda lines: lines[:1]),
        UnreadableFileError,
        ("no rows",),
        FACTS,
    ),
    case(
        "a word in a cell",
        lambda s: csv_of(s, lambda lines: [*lines, "Quux" + ",1" * 11]),
        UnreadableFileError,
        ("table of numbers",),
        FACTS,
    ),
    case(
        "short last row",
        lambda s: csv_of(s, lambda lines: [*lines, "1,2"]),
        UnreadableFileError,
        ("equal length",),
        FACTS,
    ),
    case("one column", lambda s: s.save("a.csv", "1;\n2;\n"), MissingUnitError, ("lead_names=",)),
    case(
        "precordials missing",
        lambda s: csv_of(s, lambda lines: lines, names=[*LEAD_NAMES[:8], *"abcd"]),
        UnsupportedFormatError,
        ("V3",),
        FACTS,
    ),
    case(
        "gap in time",
        lambda s: csv_of(s, lambda lines: lines[:50] + lines[90:], time_name="time (s)"),
        UnsupportedFormatError,
        ("not evenly spaced", "steps"),
        {"unit": "mV"},
    ),
    case(
        "time stands still",
        lambda s: csv_of(s, lambda lines: [lines[0]] + lines[1:2] * 90, time_name="time (s)"),
        UnsupportedFormatError,
        ("does not increase",),
        {"unit": "mV"},
    ),
    case(
        "row of words",
        lambda s: s.save("a.csv", "\n".join(f"{lead},1,2,Quux" for lead in LEAD_NAMES)),
        UnreadableFileError,
        ("after the name I",),
        FACTS,
    ),
    case(
        "wrong number of leads named",
        lambda s: csv_of(s, lambda lines: lines, names=None),
        UnsupportedFormatError,
        ("2 leads were named",),
        {**FACTS, "lead_names": ["I", "II"]},
    ),
    case(
        "parquet cut",
        lambda s: (
            parquet_of(s, {n: [1.0] * 99 for n in LEAD_NAMES}),
            s.save("a.parquet", (s.folder / "a.parquet").read_bytes()[:-40]),
        )[1],
        UnreadableFileError,
        ("Parquet",),
    ),
    case(
        "parquet magic alone",
        lambda s: s.save("a.parquet", b"PAR1"),
        UnreadableFileError,
        ("Parquet",),
    ),
    case(
        "parquet of words",
        lambda s: parquet_of(s, {n: ["x"] for n in LEAD_NAMES}),
        UnsupportedFormatError,
        ("columns of numbers",),
        FACTS,
    ),
    case(
        "parquet without leads",
        lambda s: parquet_of(s, {"a": [1.0], "b": [2.0]}),
        MissingUnitError,
        ("0 of 2 columns", "lead_names="),
    ),
    case(
        "parquet without unit",
        lambda s: parquet_of(s, {n: [1.0] * 99 for n in LEAD_NAMES}),
        MissingUnitError,
        ("unit=",),
    ),
    case(
        "parquet rate is a word",
        lambda s: parquet_of(s, {n: [1.0] for n in LEAD_NAMES}, {"sampling_rate_hz": "fast"}),
        UnreadableFileError,
        ("sampling_rate_hz",),
    ),
]


@pytest.mark.parametrize(("build", "error", "words", "hints"), CASES)
def test_bad_table_is_refused_in_words(expect_refusal, build, error, words, hints):
    expect_refusal(build, error, words, hints)
