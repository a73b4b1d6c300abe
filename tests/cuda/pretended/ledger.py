"""What made the host wait for the device, and where in the package it was asked for."""

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

PACKAGE = Path(__file__).parents[3] / "ptacl_core"
Kind = Literal["read", "copy"]


@dataclass(frozen=True)
class Wait:
    """The host waited: "read" for a value of the device, "copy" for memory that is not pinned."""

    kind: Kind
    operation: str
    place: str


@dataclass
class Ledger:
    """Waits in their order."""

    waits: list[Wait] = field(default_factory=list)

    def note(self, kind: Kind, operation: str) -> None:
        """Note a wait with the innermost line of the package that led to it."""
        self.waits.append(Wait(kind, operation, _find_place()))

    def count(self, kind: Kind | None = None) -> int:
        """Waits of a kind, or all."""
        return sum(kind in (None, wait.kind) for wait in self.waits)

    def by_place(self) -> dict[str, int]:
        """ "read item at train/loop.py:fit" → how often."""
        return dict(Counter(f"{w.kind} {w.operation} at {w.place}" for w in self.waits))

    def clear(self) -> None:
        """Forget everything noted so far."""
        self.waits.clear()


def _find_place() -> str:
    frame = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(PACKAGE):
            return f"{path.relative_to(PACKAGE)}:{frame.f_code.co_name}"
        frame = frame.f_back
    return "outside the package"
