"""What can show the page: a native window (pywebview), else a browser in app mode."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from ctypes.util import find_library
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from ptacl_app.desktop.recent import WindowPlace
from ptacl_core.errors import ConfigError

TITLE = "PTACL - research use only"
BACKGROUND = "#0d1116"
BROWSERS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "brave-browser",
    "microsoft-edge", "msedge", "chrome",
)  # fmt: skip
APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
NO_SANDBOX = "PTACL_TEST_NO_SANDBOX"
"""Set only by tests that run as root, where Chromium refuses to start with its sandbox."""


class Window(Protocol):
    """A window that shows one page until it is closed."""

    def show(
        self, address: str, place: WindowPlace, keep_place: Callable[[WindowPlace], None]
    ) -> None:
        """Show `address`; return when the window is closed."""
        ...

    def bring_to_front(self) -> bool:
        """Raise it; False where that cannot be done."""
        ...


def choose_window() -> Window:
    """The best that is installed. Raises ConfigError with what to install."""
    native = _find_native()
    if native is not None:
        return native
    browser = _find_browser()
    if browser is not None:
        return BrowserWindow(browser)
    raise ConfigError(
        "no window can be opened: install one with `pip install 'ptacl[desktop]'`, or Chromium, "
        "Chrome or Edge; or use `ptacl-app web COHORT` with the browser that you have"
    )


class NativeWindow:
    """A window of the desktop with its own dialogs (WebView2, WKWebView, Qt)."""

    def __init__(self, webview: Any) -> None:
        self._webview = webview
        self._window: Any = None

    def show(
        self, address: str, place: WindowPlace, keep_place: Callable[[WindowPlace], None]
    ) -> None:
        """Show `address` with the bridge `choose_folder`; downloads ask where to."""
        self._webview.settings["ALLOW_DOWNLOADS"] = True
        self._webview.settings["OPEN_DEVTOOLS_IN_DEBUG"] = False
        self._window = self._webview.create_window(
            TITLE, address, js_api=Bridge(self), width=place.width, height=place.height,
            x=place.x, y=place.y, background_color=BACKGROUND, text_select=False,
        )  # fmt: skip

        def keep() -> None:
            window = self._window
            keep_place(
                WindowPlace(width=window.width, height=window.height, x=window.x, y=window.y)
            )

        self._window.events.closing += keep
        self._webview.start(gui="qt" if _is_linux() else None)

    def bring_to_front(self) -> bool:
        """Raise it, also from the icon bar."""
        if self._window is None:
            return False
        self._window.restore()
        self._window.show()
        return True

    def ask_for_folder(self) -> str | None:
        """The folder that was chosen in the native dialog; None when it was closed."""
        dialog = self._webview.FileDialog.FOLDER
        chosen = self._window.create_file_dialog(dialog)
        return str(chosen[0]) if chosen else None


class Bridge:
    """All that the page may ask of the window. The server checks every path that comes back."""

    def __init__(self, window: NativeWindow) -> None:
        self._window = window

    def choose_folder(self) -> str | None:
        """A folder by the native dialog."""
        return self._window.ask_for_folder()


class BrowserWindow:
    """A Chromium without its bars, with a profile of its own that goes with the window."""

    def __init__(self, program: str) -> None:
        self.program = program

    def show(
        self, address: str, place: WindowPlace, keep_place: Callable[[WindowPlace], None]
    ) -> None:
        """Show `address` and wait for the browser's end."""
        del keep_place  # a browser in app mode does not tell where it stands
        with tempfile.TemporaryDirectory(
            prefix="ptacl-window-", ignore_cleanup_errors=True
        ) as profile:
            options = [
                f"--app={address}", f"--user-data-dir={profile}", "--no-first-run",
                "--no-default-browser-check", f"--window-size={place.width},{place.height}",
            ]  # fmt: skip
            if os.environ.get(NO_SANDBOX) == "1":
                options.append("--no-sandbox")
            process = subprocess.Popen(
                [self.program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                process.wait()
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
        if process.returncode not in (0, -15):
            raise ConfigError(
                f"{Path(self.program).name} ended with status {process.returncode}; use "
                "`ptacl-app web COHORT` with another browser"
            )

    def bring_to_front(self) -> bool:
        """A browser cannot be asked to."""
        return False


def _find_native() -> NativeWindow | None:
    """Pywebview with something to draw with: on Linux PySide6 through qtpy.

    Qt ends the process where X has no cursor library, so that is asked for first.
    """
    is_without_cursors = find_library("xcb-cursor") is None and "WAYLAND_DISPLAY" not in os.environ
    if _is_linux() and is_without_cursors:
        return None
    try:
        webview = import_module("webview")
        if _is_linux():
            os.environ.setdefault("QT_API", "pyside6")
            import_module("qtpy.QtWebEngineWidgets")
    except ImportError:
        return None
    return NativeWindow(webview)


def _find_browser() -> str | None:
    for name in BROWSERS:
        program = shutil.which(name)
        if program is not None:
            return program
    return next((path for path in APPLICATIONS if Path(path).exists()), None)


def _is_linux() -> bool:
    return sys.platform == "linux"
