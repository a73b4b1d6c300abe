"""The app's end of a page in a browser: whole packets, the mouse by pixel, what was drawn.

It ends by itself, without a word, when its server is gone: Textual 8.2 ends its reading thread at
the end of the input and tells nobody, and lets a broken pipe pass as a fault of the app.

textual-serve starts the app with Textual's `WebDriver`; the server names this one in its place.
"""

import os
import threading
from typing import Any

from textual import events, messages
from textual.app import App
from textual.drivers.web_driver import WebDriver
from textual.message import Message

from ptacl_app.terminal.page import MAX_COLUMNS, MAX_ROWS, note_written, read_page_cell


class PageDriver(WebDriver):
    """Counts what it writes, so that frames wait for a page that has not drawn the last ones."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._has_pixel_mouse = read_page_cell(os.environ) is not None
        self._is_writing = threading.Lock()
        self._num_written = 0
        self._num_drawn = 0
        self._is_alone = False
        self._write = self._write_packet

    @property
    def num_undrawn(self) -> int:
        """Writes that the page has not drawn yet."""
        return self._num_written - self._num_drawn

    def run_input_thread(self) -> None:
        """Hand on what the page sends; its end, before the app's, is the app's too."""
        super().run_input_thread()
        if not self.exit_event.is_set():
            self._leave()

    def write(self, data: str) -> None:
        """Text for the page's terminal, and the number by which the page says that it is drawn."""
        self._num_written += 1
        super().write(data + note_written(self._num_written))

    def on_meta(self, packet_type: str, payload: dict[str, object]) -> None:
        """What the server passes on from the page."""
        if packet_type == "drawn":
            number = payload.get("number")
            if isinstance(number, int):
                self._num_drawn = min(max(number, self._num_drawn), self._num_written)
            return
        super().on_meta(packet_type, payload)

    def process_message(self, message: Message) -> None:
        """A size that no window has is left aside."""
        if isinstance(message, events.Resize):
            columns, rows = message.size
            if not (0 < columns <= MAX_COLUMNS and 0 < rows <= MAX_ROWS):
                return
        super().process_message(message)

    def _enable_mouse_support(self) -> None:
        super()._enable_mouse_support()
        if self._has_pixel_mouse:
            self.write("\x1b[?1016h")

    def _write_packet(self, packet: bytes) -> int:
        """All of it, and nothing of another thread's in between: a download is written by one."""
        rest = memoryview(packet)
        with self._is_writing:
            try:
                while rest and not self._is_alone:
                    rest = rest[os.write(self.fileno, rest) :]
            except ConnectionError:
                self._leave()
        return len(packet)

    def _leave(self) -> None:
        if not self._is_alone:
            self._is_alone = True
            self._app.post_message(messages.ExitApp())
