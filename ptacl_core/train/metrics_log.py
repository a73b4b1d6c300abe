"""metrics.jsonl of a run: one JSON document a line, in the order of the steps."""

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

from ptacl_core.json_values import JsonObject
from ptacl_core.safety.files.atomic import write_text

METRICS_FILE = "metrics.jsonl"


class MetricsLog:
    """Appends lines; a resumed stage first forgets what lies after its checkpoint."""

    def __init__(self, path: Path):
        self.path = path

    def forget_from(self, *, stage: str, step: int) -> None:
        """Drop this stage's lines of `step` and later, and a line that was cut off."""
        if not self.path.exists():
            return
        kept = [
            json.dumps(line)
            for line in read_metrics(self.path)
            if line.get("stage") != stage or _is_before(line, step)
        ]
        write_text(self.path, "".join(f"{line}\n" for line in kept))

    def append(self, **figures: Any) -> None:
        """Write one line; numbers that are not finite become null. Raises OSError."""
        line = json.dumps({key: _finite(value) for key, value in figures.items()}, allow_nan=False)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(line + "\n")


def _is_before(line: JsonObject, step: int) -> bool:
    number = line.get("step", 0)
    return isinstance(number, int | float) and number < step


def read_metrics(path: Path) -> list[JsonObject]:
    """The whole lines of a metrics file; a last line cut off by a kill is left out."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            lines.append(line)
    return lines


def hash_stages(path: Path) -> dict[str, str]:
    """SHA-256 of each stage's lines, in their order. Raises OSError, UnicodeDecodeError."""
    lines: dict[str, list[bytes]] = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            stage = str(json.loads(text)["stage"])
        except (ValueError, KeyError, TypeError):
            continue
        lines.setdefault(stage, []).append(text.encode() + b"\n")
    return {stage: hashlib.sha256(b"".join(texts)).hexdigest() for stage, texts in lines.items()}


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
