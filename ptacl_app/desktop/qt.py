"""What Qt wants beyond pywebview: a name for the desktop, colours, no foreign page, raising."""

import os
from importlib import import_module
from importlib.resources import files
from typing import Any

from ptacl_app.desktop.browser import NO_SANDBOX
from ptacl_app.desktop.recent import WindowPlace
from ptacl_app.desktop.window import BACKGROUND
from ptacl_core.errors import ConfigError

APPLICATION_ID = "ptacl"
"""The desktop entry's name: by it a desktop finds icon and entry of a window."""
MARGIN_PX = 80
"""So much of the window's title stays on a screen."""
FLAGS, SANDBOX_SWITCH = "QTWEBENGINE_CHROMIUM_FLAGS", "QTWEBENGINE_DISABLE_SANDBOX"
RAISED, TEXT, FAINT, ACCENT = "#18202a", "#d9e0e7", "#7d8995", "#2f6db3"
_kept: list[Any] = []


def prepare_qt(place: WindowPlace) -> WindowPlace:
    """Make Qt's application before pywebview does; the place, moved onto a screen that is there."""
    _keep_sandbox()
    gui, widgets = import_module("qtpy.QtGui"), import_module("qtpy.QtWidgets").QApplication
    application = widgets.instance() or widgets([APPLICATION_ID])
    application.setApplicationName(APPLICATION_ID)
    application.setApplicationDisplayName("")
    application.setDesktopFileName(APPLICATION_ID)
    picture = gui.QPixmap()
    picture.loadFromData(files("ptacl_app.desktop").joinpath("share/ptacl.svg").read_bytes())
    application.setWindowIcon(gui.QIcon(picture))
    application.setStyle("Fusion")
    application.setPalette(_build_palette())
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


def dress_window(native: Any, address: str, place: WindowPlace) -> None:
    """Let no page but ours into the window, and make it one that can be raised by a thread.

    Its inside is put where it was: pywebview tells and sets places by different edges.
    """
    if place.x is not None and place.y is not None and not place.is_maximized:
        native.setGeometry(place.x, place.y, place.width, place.height)
    core = import_module("qtpy.QtCore")
    states = core.Qt.WindowState
    ours = address.split("?", maxsplit=1)[0].rstrip("/")

    def check_navigation(request: Any) -> None:
        url = request.url().toString()
        if url != ours and not url.startswith(f"{ours}/"):
            request.reject()

    def raise_it() -> None:
        state = native.windowState() & ~states.WindowMinimized
        native.setWindowState(state | states.WindowActive)
        native.show()
        native.raise_()
        native.activateWindow()

    native.webview.page().navigationRequested.connect(check_navigation)
    native.raiser = type("Raiser", (core.QObject,), {"asked": core.Signal()})(native)
    native.raiser.asked.connect(raise_it)


def read_geometry(native: Any) -> tuple[int, int, int, int]:
    """Left, top, width and height of the window's inside."""
    inside = native.geometry()
    return inside.x(), inside.y(), inside.width(), inside.height()


def raise_window(native: Any) -> None:
    """Raise it from any thread."""
    native.raiser.asked.emit()


def _keep_sandbox() -> None:
    """Leave Chromium's sandbox on: pywebview takes it off on some systems.

    Raises ConfigError for root, for whom it cannot be on, unless a test says so.
    """
    import_module("webview.platforms.qt")  # sets its flags while it is imported
    if os.environ.get(NO_SANDBOX) == "1":
        os.environ[SANDBOX_SWITCH] = "1"
        return
    os.environ.pop(SANDBOX_SWITCH, None)
    words = os.environ.get(FLAGS, "").split()
    os.environ[FLAGS] = " ".join(word for word in words if word != "--no-sandbox")
    if os.geteuid() == 0:
        raise ConfigError(
            "a window is not opened for root, whose pages would not be confined; "
            "start it as another user, or use `ptacl-app web COHORT`"
        )


def _build_palette() -> Any:
    """The page's own colours, for the menu and the dialogs around it."""
    gui = import_module("qtpy.QtGui")
    colour_of, palette_of = gui.QColor, gui.QPalette
    palette = palette_of(colour_of(RAISED), colour_of(BACKGROUND))
    roles, groups = palette_of.ColorRole, palette_of.ColorGroup
    colours = {
        roles.WindowText: TEXT, roles.Text: TEXT, roles.ButtonText: TEXT, roles.ToolTipText: TEXT,
        roles.Base: RAISED, roles.AlternateBase: BACKGROUND, roles.ToolTipBase: RAISED,
        roles.PlaceholderText: FAINT, roles.Highlight: ACCENT, roles.HighlightedText: "#ffffff",
        roles.Link: "#6cb6ff",
    }  # fmt: skip
    for role, colour in colours.items():
        palette.setColor(role, colour_of(colour))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        palette.setColor(groups.Disabled, role, colour_of(FAINT))
    return palette
