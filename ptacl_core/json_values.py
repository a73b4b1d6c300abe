"""What JSON and TOML hold before it is validated: one name for it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import JsonValue
else:
    JsonValue = object  # child processes that need no pydantic start without it

JsonObject = dict[str, JsonValue]
"""Parsed JSON or TOML of a shape that nobody has checked yet, and plain values to be written."""
