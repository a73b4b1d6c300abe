"""The panel beside a screen's main pane: on and off, or, in a small terminal, in its place."""

from typing import Any

from textual.screen import Screen

SIDE_FROM_COLUMNS = 120
"""Below this width a side panel takes the whole screen (class `-side`)."""


def toggle_side(screen: Screen[Any], *, side: str, main: str) -> None:
    """Show or hide the side panel; the keys go to what `side` or `main` select."""
    if screen.size.width >= SIDE_FROM_COLUMNS:
        screen.remove_class("-side")
        screen.toggle_class("-no-side")
        return
    screen.remove_class("-no-side")
    screen.toggle_class("-side")
    screen.query_one(side if screen.has_class("-side") else main).focus()
