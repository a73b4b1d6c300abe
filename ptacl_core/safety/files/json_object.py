"""A JSON document that may be missing or damaged."""

import json
from pathlib import Path

from ptacl_core.json_values import JsonObject


def read_json_object(path: Path) -> JsonObject | None:
    """The object in a JSON file; None where the file is missing, damaged or holds another value."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
