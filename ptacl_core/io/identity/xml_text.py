"""Elements and attributes in a piece of XML text, which may be cut short, without parsing it."""

import html
import re
from datetime import datetime

_TAG = r"<(?:[\w.\-]+:)?{name}(?:\s[^>]*)?>\s*(?:<!\[CDATA\[)?([^<\]]*)"
_ATTRIBUTE = r"{name}\s*=\s*[\"']([^\"']*)[\"']"


def find_opening(text: str, name: str) -> str:
    """The attributes of the first element of a name, "" without one that has any."""
    match = re.search(rf"<(?:[\w.\-]+:)?{name}\s([^>]*)>", text)
    return match[1] if match is not None else ""


def find_text(text: str, name: str) -> str | None:
    """The text of the first element of a name, None without one."""
    if name not in text:  # much sooner told than by the expression
        return None
    match = re.search(_TAG.format(name=name), text)
    return html.unescape(match[1]).strip() if match is not None else None


def find_attribute(attributes: str, name: str) -> str:
    """The value of one attribute among `attributes`, "" without it."""
    match = re.search(rf"(?<![\w]){_ATTRIBUTE.format(name=name)}", attributes)
    return html.unescape(match[1]).strip() if match is not None else ""


def to_time(text: str, patterns: tuple[str, ...]) -> datetime | None:
    """The time in the first of some forms that `text` has, None for another."""
    for pattern in patterns:
        try:
            return datetime.strptime(text.strip(), pattern)
        except ValueError:
            continue
    return None
