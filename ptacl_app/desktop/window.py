"""What a window that shows the page can do, whichever program draws it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from ptacl_app.desktop.recent import WindowPlace

TITLE = "PTACL - research use only"
BACKGROUND = "#0d1116"


class Kind(StrEnum):
    """What an open dialog asks for."""

    COHORT = "cohort"
    ECG = "ecg"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Command:
    """An entry of the window's menu; `run` is called in a thread of its own."""

    label: str
    run: Callable[[], None]


class Window(Protocol):
    """A window that shows one page until it is closed."""

    has_dialogs: bool
    """Whether it can ask for files; a browser cannot tell where a file lies."""

    def show(
        self,
        address: str,
        place: WindowPlace,
        keep_place: Callable[[WindowPlace], None],
        menu: Sequence[Command],
    ) -> None:
        """Show `address`; return when the window is closed."""
        ...

    def go_to(self, address: str) -> None:
        """Show another page of ours."""
        ...

    def bring_to_front(self) -> bool:
        """Raise it; False where that cannot be done."""
        ...

    def ask_to_open(self, kind: Kind) -> tuple[Path, ...]:
        """What was chosen in the native dialog; nothing when it was closed."""
        ...

    def ask_where_to_save(self, name: str) -> Path | None:
        """Where to save a file called `name`; None when the dialog was closed."""
        ...

    def close(self) -> None:
        """Have `show` return."""
        ...
