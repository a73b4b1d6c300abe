"""A window of the desktop with its own dialogs: WebView2, WKWebView, Qt, by pywebview.

pywebview's bridge from pages to Python stays empty: pages ask the guarded site, which asks us.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ptacl_app.desktop.qt import dress_window, prepare_qt, raise_window, read_geometry
from ptacl_app.desktop.recent import WindowPlace
from ptacl_app.desktop.window import BACKGROUND, TITLE, Command, Kind

SMALLEST_PX = (640, 400)


class NativeWindow:
    """Shows one page; dialogs are asked for from any thread, one after another."""

    has_dialogs = True

    def __init__(self, webview: Any) -> None:
        self._webview = webview
        self._window: Any = None
        self._place = WindowPlace()

    def show(
        self,
        address: str,
        place: WindowPlace,
        keep_place: Callable[[WindowPlace], None],
        menu: Sequence[Command],
    ) -> None:
        """Show `address` until the window is closed."""
        self._webview.settings["OPEN_DEVTOOLS_IN_DEBUG"] = False
        self._webview.settings["ALLOW_FILE_URLS"] = False
        is_qt = sys.platform == "linux"
        if is_qt:
            place = prepare_qt(place)
        self._place = place
        self._window = self._webview.create_window(
            TITLE, address, width=place.width, height=place.height, x=place.x, y=place.y,
            maximized=place.is_maximized, min_size=SMALLEST_PX, background_color=BACKGROUND,
            text_select=False,
        )  # fmt: skip
        events = self._window.events
        if is_qt:
            events.before_show += lambda: dress_window(self._window.native, address, place)
        events.maximized += lambda: self._note_size(is_maximized=True)
        events.restored += lambda: self._note_size(is_maximized=False)
        events.closing += lambda: keep_place(self._read_place())
        menus = import_module("webview.menu")
        actions = [menus.MenuAction(command.label, command.run) for command in menu]
        self._webview.start(gui="qt" if is_qt else None, menu=[menus.Menu("File", actions)])

    def go_to(self, address: str) -> None:
        """Show another page."""
        self._window.load_url(address)

    def bring_to_front(self) -> bool:
        """Raise it, also from the icon bar, as large as it was."""
        if self._window is None:
            return False
        if sys.platform == "linux":
            raise_window(self._window.native)
        else:
            self._window.restore()
            self._window.show()
        return True

    def ask_to_open(self, kind: Kind) -> tuple[Path, ...]:
        """What was chosen; nothing when the dialog was closed."""
        dialogs = self._webview.FileDialog
        if kind is Kind.COHORT:
            chosen = self._window.create_file_dialog(dialogs.FOLDER)
        else:
            filters = {
                Kind.ECG: ("All files (*.*)",),  # known by content, never by the ending
                Kind.MODEL: ("Packed models (*.ptacl)",),
            }[kind]
            chosen = self._window.create_file_dialog(
                dialogs.OPEN, allow_multiple=kind is Kind.ECG, file_types=filters
            )
        return tuple(Path(os.fsdecode(name)) for name in chosen or ())

    def ask_where_to_save(self, name: str) -> Path | None:
        """Where to save; None when the dialog was closed."""
        chosen = self._window.create_file_dialog(
            self._webview.FileDialog.SAVE, directory=str(Path.home()), save_filename=name
        )
        if not chosen:
            return None
        return Path(chosen if isinstance(chosen, str) else chosen[0])

    def close(self) -> None:
        """Close it as its own button does."""
        if self._window is not None:
            self._window.destroy()

    def _note_size(self, *, is_maximized: bool) -> None:
        self._place = self._place.model_copy(update={"is_maximized": is_maximized})

    def _read_place(self) -> WindowPlace:
        """Where it stands; of a window over the whole screen, where it stood before."""
        if self._place.is_maximized:
            return self._place
        window = self._window
        if sys.platform == "linux":
            x, y, width, height = read_geometry(window.native)
        else:
            x, y, width, height = window.x, window.y, window.width, window.height
        return WindowPlace(width=int(width), height=int(height), x=int(x), y=int(y))
