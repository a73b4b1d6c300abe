"""What Qt wants beyond pywebview: a name for the desktop, an icon, no foreign page, raising."""

import sys
from importlib.resources import files
from typing import Any

from ptacl_app.desktop.recent import WindowPlace

APPLICATION_ID = "ptacl"
"""The desktop entry's name: by it a desktop finds icon and entry of a window."""
MARGIN_PX = 80
"""So much of the window's title stays on a screen."""
_kept: list[Any] = []


def prepare_qt(place: WindowPlace) -> WindowPlace:
    """Make Qt's application before pywebview does; the place, moved onto a screen that is there."""
    from qtpy.QtGui import QIcon, QPixmap
    from qtpy.QtWidgets import QApplication

    application = QApplication.instance() or QApplication([APPLICATION_ID, *sys.argv[:0]])
    application.setApplicationName(APPLICATION_ID)
    application.setApplicationDisplayName("")
    application.setDesktopFileName(APPLICATION_ID)
    picture = QPixmap()
    picture.loadFromData(files("ptacl_app.desktop").joinpath("share/ptacl.svg").read_bytes())
    application.setWindowIcon(QIcon(picture))
    _kept.append(application)
    screens = [screen.availableGeometry() for screen in application.screens()]
    largest = max(screens, key=lambda area: area.width() * area.height())
    size = {
        "width": min(place.width, largest.width()),
        "height": min(place.height, largest.height()),
    }
    is_in_sight = (
        place.x is not None
        and place.y is not None
        and any(
            area.left() - place.width + MARGIN_PX <= place.x <= area.right() - MARGIN_PX
            and area.top() <= place.y <= area.bottom() - MARGIN_PX
            for area in screens
        )
    )
    where = {} if is_in_sight else {"x": None, "y": None}
    return place.model_copy(update={**size, **where})


def dress_window(native: Any, address: str) -> None:
    """Let no page but ours into the window, and make it one that can be raised by a thread."""
    from qtpy.QtCore import QObject, Qt, Signal

    ours = address.split("?", maxsplit=1)[0].rstrip("/")

    def check_navigation(request: Any) -> None:
        url = request.url().toString()
        if url != ours and not url.startswith(f"{ours}/"):
            request.reject()

    class Raiser(QObject):
        asked = Signal()

    def raise_it() -> None:
        state = native.windowState() & ~Qt.WindowState.WindowMinimized
        native.setWindowState(state | Qt.WindowState.WindowActive)
        native.show()
        native.raise_()
        native.activateWindow()

    native.webview.page().navigationRequested.connect(check_navigation)
    native.raiser = Raiser(native)
    native.raiser.asked.connect(raise_it)


def raise_window(native: Any) -> None:
    """Raise it from any thread."""
    native.raiser.asked.emit()
