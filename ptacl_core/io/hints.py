"""What a recording's file does not say, as keywords for its reader."""

from typing import Any

ReaderHints = dict[str, Any]
"""Keywords of `read_ecg` or `read_cine`, as a person, a plan or a layout gives them.

Names and values are checked by the reader, which says what it expected.
"""
