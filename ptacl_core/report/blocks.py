"""The parts of a document, the same for HTML and Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Heading:
    """A section's title; `level` 2 opens a section, 3 a part of one."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; `is_warning` sets it apart."""

    text: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of short lines."""

    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a header; the first column names the row.

    A cell may hold two lines, parted by a newline: a figure and its interval. A row whose name
    is indented stands aside from ours, such as published figures.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing with what it shows in words, for those who do not see it."""

    name: str
    svg: str
    caption: str


Block = Heading | Paragraph | Bullets | Table | Figure


@dataclass(frozen=True, slots=True)
class Report:
    """A document: title, what must be read first, and the rest in order."""

    title: str
    notices: Sequence[str]
    blocks: list[Block] = field(default_factory=list)
