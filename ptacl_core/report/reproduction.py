"""The report of `ptacl reproduce`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ptacl_core.safety.atomic import write_json


def write_report(folder: Path, document: Mapping[str, Any]) -> None:
    """Write report.json. Raises OSError."""
    write_json(folder / "report.json", dict(document))
