"""Elements of an ECG's XML by local name, and the fields that these formats share."""

import base64
import binascii
from collections.abc import Collection, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

from ptacl_core.errors import MissingUnitError, UnreadableFileError
from ptacl_core.io.files.bounded_file import read_bytes, shown_name
from ptacl_core.io.files.number_text import parse_count, parse_number
from ptacl_core.safety.text.xml import MAX_XML_BYTES, parse_xml


def read_xml_root(path: Path, *, doctype_roots: Collection[str] = ()) -> Element:
    """Root of the XML file, every tag without its namespace. Raises as `parse_xml`."""
    data = read_bytes(path, max_bytes=MAX_XML_BYTES)
    root = parse_xml(data, name=shown_name(path), doctype_roots=doctype_roots)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def text_of(element: Element | None, path: str = "") -> str:
    """Stripped text of `element` or of its descendant at `path`; "" when it is not there."""
    child = element.find(path) if element is not None and path else element
    return "".join(child.itertext()).strip() if child is not None else ""


def require_rate_hz(text: str, *, name: str, where: str) -> float:
    """The sampling rate that `text` states. Raises MissingUnitError when it states none."""
    rate_hz = parse_number(text)
    if rate_hz is None or rate_hz <= 0:
        raise MissingUnitError(
            f"{name}: expected a sampling rate in Hz in {where}, found none; export it again"
        )
    return rate_hz


def check_count(text: str, count: int, *, name: str, what: str) -> None:
    """Raise UnreadableFileError when the file states another count of `what` than it holds."""
    stated = parse_count(text)
    if stated is not None and stated != count:
        raise UnreadableFileError(
            f"{name}: the file states {stated} {what} and holds {count}; it is damaged or cut short"
        )


def decode_base64(text: str, *, name: str, where: str) -> bytes:
    """The bytes that base64 `text` holds, line breaks allowed, nothing else beside it."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnreadableFileError(
            f"{name}: expected base64 samples in {where}, found something else or cut short; copy "
            "or export the file again"
        ) from error


def read_measurements(parent: Element | None, names: Mapping[str, str]) -> dict[str, float]:
    """Device figures: child tag → our name; empty, non-numeric and non-positive ones left out.

    An axis may be 0 or negative.
    """
    figures: dict[str, float] = {}
    for tag, key in names.items():
        number = parse_number(text_of(parent, tag)) if parent is not None else None
        if number is not None and key not in figures and (number > 0 or key.endswith("axis_deg")):
            figures[key] = number
    return figures
