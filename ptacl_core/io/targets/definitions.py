"""A file of targets (TOML or JSON): what they are, and in which tables their values stand."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ptacl_core.errors import ConfigError
from ptacl_core.json_values import JsonObject
from ptacl_core.records.targets import Target, as_kind, check_targets
from ptacl_core.safety.text.printable import clean_text

_MAX_BYTES = 2**20
_TARGET_TEXTS = ("kind", "unit", "title", "rule", "reference", "column")
_TARGET_NUMBERS = ("low", "high")
MAX_TEXT = 200
DEFAULT_PERSON = "subject_id"
DEFAULT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Column:
    """Where a table has a target: its column, in the rows whose cells are as `where` says."""

    target: Target
    column: str
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TargetTable:
    """One table: the columns that say whose a row is, and of which recording.

    One of `visit` (its number or name), `recording` (its number in the data set) and `time` says
    of which; without any a row holds for every visit of its person. A `time` goes to the ECG
    nearest to it, at most `within_days` away.
    """

    file: str = ""
    person: str = DEFAULT_PERSON
    visit: str = ""
    recording: str = ""
    time: str = ""
    within_days: int = DEFAULT_DAYS


@dataclass(frozen=True, slots=True)
class TargetFile:
    """What a file of targets says; `path` is where it lies, from which tables are found."""

    path: Path
    columns: tuple[Column, ...]
    tables: tuple[TargetTable, ...]

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets, in the order of the file."""
        return tuple(column.target for column in self.columns)


def read_definitions(path: Path) -> TargetFile:
    """The targets in a TOML or JSON file. Raises ConfigError that names the fault."""
    shown = clean_text(path.name, max_length=80)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read ({error.strerror or error})") from None
    if len(data) > _MAX_BYTES:
        raise ConfigError(f"{shown}: too large for definitions of targets")
    try:
        text = data.decode("utf-8")
        values = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{shown}: expected TOML (or JSON, by its ending): {clean_text(str(error))}"
        ) from None
    try:
        return _parse(path, values)
    except ConfigError as error:
        raise ConfigError(f"{shown}: {error}") from None


def _parse(path: Path, values: object) -> TargetFile:
    head = _take(values, {"targets", "tables"}, place="the file")
    targets = head.get("targets")
    if not isinstance(targets, dict) or not targets:
        raise ConfigError("expected at least one section [targets.NAME]")
    columns = tuple(_parse_target(str(name), section) for name, section in targets.items())
    check_targets(tuple(column.target for column in columns))
    tables = head.get("tables", [])
    if not isinstance(tables, list):
        raise ConfigError("expected tables as [[tables]]")
    return TargetFile(path, columns, tuple(_parse_table(table) for table in tables))


def _parse_target(name: str, section: object) -> Column:
    place = f"targets.{name[:40]}"
    known = {*_TARGET_TEXTS, *_TARGET_NUMBERS, "where"}
    values = _take(section, known, place=place)
    texts = {key: _text(values, key, place=place) for key in _TARGET_TEXTS}
    numbers = {key: _number(values, key, place=place) for key in _TARGET_NUMBERS}
    where = _take(values.get("where", {}), None, place=f"{place}.where")
    column = texts.pop("column")
    kind = texts.pop("kind") or ("binary" if texts["rule"] else "continuous")
    if texts["rule"] and (column or where):
        raise ConfigError(f"{place}: a target with a rule has no column of its own")
    target = Target(
        name, as_kind(kind), texts["unit"], texts["title"], numbers["low"], numbers["high"],
        texts["rule"], texts["reference"],
    )  # fmt: skip
    return Column(target, column or name, {key: str(value) for key, value in where.items()})


def _parse_table(section: object) -> TargetTable:
    known = {entry.name for entry in fields(TargetTable)}
    values = _take(section, known, place="tables")
    texts = {key: _text(values, key, place="tables") for key in known - {"within_days"}}
    given = [key for key in ("visit", "recording", "time") if texts[key]]
    if len(given) > 1:
        raise ConfigError(f"tables: {' and '.join(given)} exclude each other: give one")
    days = values.get("within_days", DEFAULT_DAYS)
    if isinstance(days, bool) or not isinstance(days, int) or days < 0:
        raise ConfigError(f"tables: expected within_days as a whole number, got {days!r}")
    person = texts.pop("person") or DEFAULT_PERSON
    return TargetTable(person=person, within_days=days, **texts)


def _take(values: object, known: set[str] | None, *, place: str) -> JsonObject:
    if not isinstance(values, dict):
        raise ConfigError(f"{place}: expected a section with keys")
    unknown = [] if known is None else sorted(str(key) for key in values if key not in known)
    if unknown:
        expected = ", ".join(sorted(known or ()))
        raise ConfigError(f"{place}: unknown key '{unknown[0][:40]}'; there are {expected}")
    return {str(key): value for key, value in values.items()}


def _text(values: Mapping[str, Any], key: str, *, place: str) -> str:
    value = values.get(key, "")
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ConfigError(f"{place}: expected {key} as text of at most {MAX_TEXT} characters")
    return clean_text(value, max_length=MAX_TEXT)


def _number(values: Mapping[str, Any], key: str, *, place: str) -> float | None:
    value = values.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{place}: expected {key} as a number, got {value!r}")
    return float(value)
