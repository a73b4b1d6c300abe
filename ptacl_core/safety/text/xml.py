"""XML from strangers: bounded in bytes, elements and depth; no entities, nothing external."""

from collections.abc import Collection
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException, DTDForbidden
from defusedxml.ElementTree import DefusedXMLParser

from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError

MAX_XML_BYTES = 64 * 1024**2
_MAX_ELEMENTS = 500_000
_MAX_DEPTH = 100
_MAX_MARKUP_BYTES = 1024**2
_PIECE_BYTES = 64 * 1024


class _TooLargeError(Exception):
    """The document has more elements, depth or markup than a recording needs."""


class _BoundedBuilder(TreeBuilder):
    """A tree builder that counts what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.num_events = 0
        self._num_elements = 0
        self._depth = 0

    def start(self, tag: str, attrs: Any, /) -> Element:
        self.num_events += 1
        self._num_elements += 1
        self._depth += 1
        if self._num_elements > _MAX_ELEMENTS:
            raise _TooLargeError(f"more than {_MAX_ELEMENTS} elements")
        if self._depth > _MAX_DEPTH:
            raise _TooLargeError(f"elements nested deeper than {_MAX_DEPTH}")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self.num_events += 1
        self._depth -= 1
        return super().end(tag)

    def data(self, data: str, /) -> None:
        self.num_events += 1
        super().data(data)

    def comment(self, _text: str | None, /) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.num_events += 1

    def pi(self, _target: str, _text: str | None = None, /) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.num_events += 1


class _Parser(DefusedXMLParser):
    """defusedxml's parser, letting the plain DOCTYPE of named roots pass."""

    def __init__(self, builder: _BoundedBuilder, doctype_roots: Collection[str]) -> None:
        self._doctype_roots = doctype_roots
        super().__init__(
            target=builder, forbid_dtd=True, forbid_entities=True, forbid_external=True
        )

    def defused_start_doctype_decl(
        self, name: str, sysid: str | None, pubid: str | None, has_internal_subset: int
    ) -> None:
        if has_internal_subset or name not in self._doctype_roots:
            raise DTDForbidden(name, sysid, pubid)


def parse_xml(data: bytes, *, name: str, doctype_roots: Collection[str] = ()) -> Element:
    """Root element of the XML document `data`, the encoding taken from the document itself.

    A DOCTYPE is accepted only without an internal subset and for a root named in
    `doctype_roots` (it is not fetched); entity declarations and external references never.
    `name` is the file in messages. Raises UnsupportedFormatError for what is refused and
    UnreadableFileError for what is not well-formed.
    """
    if len(data) > MAX_XML_BYTES:
        raise UnsupportedFormatError(
            f"{name}: the XML has {len(data) / 1024**2:.0f} MB, at most "
            f"{MAX_XML_BYTES // 1024**2} MB are read"
        )
    builder = _BoundedBuilder()
    parser = _Parser(builder, doctype_roots)
    try:
        return _feed(parser, builder, data)
    except DefusedXmlException as error:
        raise UnsupportedFormatError(
            f"{name}: the XML declares a document type, entities or external parts "
            f"({type(error).__name__}), which are never read; remove the declaration"
        ) from error
    except _TooLargeError as error:
        raise UnsupportedFormatError(
            f"{name}: the XML is not a recording: {error}; nothing of it was read"
        ) from error
    except ParseError as error:
        line, column = getattr(error, "position", (0, 0))
        raise UnreadableFileError(
            f"{name}: the XML is damaged or cut short at line {line}, column {column}; copy or "
            "export the file again"
        ) from error
    except (LookupError, ValueError) as error:
        raise UnreadableFileError(
            f"{name}: the XML states an encoding that cannot be read; export it as UTF-8"
        ) from error


def _feed(parser: _Parser, builder: _BoundedBuilder, data: bytes) -> Element:
    """Hand over `data` in pieces; markup that goes on for a megabyte is refused early."""
    last_events, last_start = 0, 0
    for start in range(0, len(data), _PIECE_BYTES):
        parser.feed(data[start : start + _PIECE_BYTES])
        if builder.num_events != last_events:
            last_events, last_start = builder.num_events, start
        elif start - last_start > _MAX_MARKUP_BYTES:
            raise _TooLargeError("one tag or declaration longer than 1 MB")
    return parser.close()
