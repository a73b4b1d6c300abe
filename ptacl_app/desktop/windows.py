"""What can show the page: a native window (pywebview), else a browser in app mode."""

import os
import sys
from collections.abc import Callable, Sequence
from ctypes.util import find_library
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Protocol

from ptacl_app.desktop.recent import WindowPlace
from ptacl_core.errors import ConfigError

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


def choose_window() -> Window:
    """The best that is installed. Raises ConfigError with what to install."""
    from ptacl_app.desktop.browser import BrowserWindow, find_browser

    native = _find_native()
    if native is not None:
        return native
    browser = find_browser()
    if browser is not None:
        return BrowserWindow(browser)
    raise ConfigError(
        "no window can be opened: install one with `pip install 'ptacl[desktop]'`, or Chromium, "
        "Chrome or Edge; or use `ptacl-app web COHORT` with the browser that you have"
    )


def _find_native() -> Window | None:
    """Pywebview with something to draw with: on Linux PySide6 through qtpy.

    Qt ends the process where X has no cursor library or no screen, so those are asked for first.
    """
    is_linux = sys.platform == "linux"
    has_wayland = "WAYLAND_DISPLAY" in os.environ
    if is_linux and not has_wayland:
        is_drawable = find_library("xcb-cursor") is not None and "DISPLAY" in os.environ
        if not is_drawable:
            return None
    try:
        webview = import_module("webview")
        if is_linux:
            os.environ.setdefault("QT_API", "pyside6")
            import_module("qtpy.QtWebEngineWidgets")
    except ImportError:
        return None
    from ptacl_app.desktop.native import NativeWindow

    return NativeWindow(webview)
