"""What a layout file says, and the layouts that come with the program."""

import re
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ptacl_core.errors import ConfigError
from ptacl_core.io.hints import ReaderHints
from ptacl_core.safety.text.printable import clean_text


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _compile(text: str) -> str:
    re.compile(text)
    return text


class BatchRule(_Part):
    """A file of many recordings, each of which a row of a table describes.

    Without `where` the recordings carry the numbers that the table's column `record` holds.
    """

    where: dict[str, str] = Field(default_factory=dict)
    """Column of the table → value (a group of the path as {group}): the rows so chosen are the
    recordings in order."""


class RecordingRule(_Part):
    """Files of one kind: a pattern for the end of their path, with the groups that it names.

    Groups: `subject`, `visit`, `record` (joins tables, and joins versions of one recording).
    """

    path: str
    modality: Literal["ecg", "cmr", "none"]
    reason: str = ""
    """Why files of modality "none" are not used."""
    rank: int = 0
    """Of several versions of one `record` the lowest rank is taken."""
    hints: ReaderHints = Field(default_factory=dict)
    """What the reader needs beyond the file (`sampling_rate_hz`, `unit`, `lead_names`)."""
    batch: BatchRule | None = None

    _check_path = field_validator("path")(_compile)


class TableRule(_Part):
    """A table of the data set: whose recordings are which, and what is known of people.

    `file` or `record` is the column that joins a recording (its path, or the group `record`).
    """

    path: str
    subject: str
    file: tuple[str, ...] = Field(default=())
    record: str = ""
    visit: str = ""
    time: str = ""
    """Column of the time of recording, used to pair and to order, never kept."""
    split: str = ""
    splits: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """train, val, test → the values of the column `split`."""
    sex: dict[str, str] = Field(default_factory=dict)
    """Cell → F or M, where the set codes sex in its own way."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Column → our name (`lvedv_ml`, `age_years`, `sex`, `height_cm`, `ed_frame`, `es_frame`)."""
    first_frame: Literal[0, 1] = 0
    """Whether `ed_frame` and `es_frame` count from 0 or 1."""
    is_withdrawal: bool = False
    """A list of people who have withdrawn: one identifier a line, no header."""

    _check_path = field_validator("path")(_compile)


class Layout(_Part):
    """How one data set is laid out."""

    name: str
    title: str
    source: str = ""
    """Where the layout is described."""
    recognise: tuple[str, ...] = Field(default=())
    """Patterns of paths that are all there in such a data set; none: it is only taken by name."""
    recordings: tuple[RecordingRule, ...] = Field(default=())
    tables: tuple[TableRule, ...] = Field(default=())

    @field_validator("recognise")
    @classmethod
    def _check_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_compile(pattern) for pattern in patterns)


def load_layout(path: Path) -> Layout:
    """The layout in a TOML file. Raises ConfigError that says what is wrong in it."""
    try:
        return Layout.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"{clean_text(path.name)}: cannot be read as a layout ({type(error).__name__}); give a "
            "TOML file as in docs/layouts.md"
        ) from None
    except (ValidationError, re.error) as error:
        raise ConfigError(f"{clean_text(path.name)}: not a layout: {error}") from None


@cache
def load_layouts() -> dict[str, Layout]:
    """The layouts of the program by name."""
    layouts = [
        Layout.model_validate(tomllib.loads(entry.read_text(encoding="utf-8")))
        for entry in files("ptacl_core.io.layouts").joinpath("sets").iterdir()
        if entry.name.endswith(".toml")
    ]
    return {layout.name: layout for layout in sorted(layouts, key=lambda layout: layout.name)}


def find_table_rule(layout: Layout, place: str) -> TableRule | None:
    """The rule for a table that lies at `place`, None when the layout has no such table."""
    return next((rule for rule in layout.tables if matches(rule.path, place)), None)


def matches(pattern: str, place: str) -> re.Match[str] | None:
    """The match of a rule's pattern with the end of a place, its parts parted by "/"."""
    return re.search(rf"(?:^|/)(?:{pattern})$", place)


def find_layout(name: str) -> Layout:
    """A layout by name, or from a TOML file. Raises ConfigError that lists the names."""
    known = load_layouts()
    if name in known:
        return known[name]
    if name.endswith(".toml"):
        return load_layout(Path(name))
    raise ConfigError(
        f"--layout: expected one of {', '.join(known)} or a TOML file, got "
        f"'{clean_text(name, max_length=60)}'"
    )
