"""Section 8 of SCP-ECG: what the cart says of the ECG in words."""

import struct

_HEAD = struct.Struct("<BHBBBBBB")
"""Confirmed or not; year, month and day, hour, minute and second; number of statements."""
_STATEMENT = struct.Struct("<BH")
_MAX_STATEMENTS = 255


def read_statements(section: bytes | None) -> list[str]:
    """The statements in order; none of a section that ends before what it announces."""
    if section is None or len(section) < _HEAD.size:
        return []
    count = _HEAD.unpack_from(section)[-1]
    texts: list[str] = []
    at = _HEAD.size
    for _ in range(min(count, _MAX_STATEMENTS)):
        if at + _STATEMENT.size > len(section):
            return []
        _, length = _STATEMENT.unpack_from(section, at)
        at += _STATEMENT.size
        text = section[at : at + length]
        if len(text) < length:
            return []
        texts.append(text.split(b"\0")[0].decode("utf-8", errors="replace"))
        at += length
    return texts
