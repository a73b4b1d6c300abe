"""What can show the page: a native window (pywebview), else a browser in app mode."""

import os
import sys
from ctypes.util import find_library
from importlib import import_module

from ptacl_app.desktop.window import Window
from ptacl_core.errors import ConfigError


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
