"""How pictures can be shown here: told by the environment or by the reader, never by a probe.

A probe's answer may arrive late, as a key. What the environment does not tell is not guessed:
then cells are drawn, and `--graphics` says otherwise.
"""

import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ptacl_app.terminal.page import read_page_cell
from ptacl_core.errors import ConfigError

CHOICES = ("auto", "kitty", "sixel", "iterm", "cells")
FIRST_KITTY_WITH_PLACEHOLDERS = (0, 28)
FIRST_KONSOLE_WITH_SIXEL = 220400
TMUX_TIMEOUT_S = 2.0
PAGE_PROGRAM = "textual"
"""What textual-serve calls itself in TERM_PROGRAM."""
DEFAULT_CELL_PX = (8, 16)
SIXEL_CELL_PX = (10, 20)
"""Of the VT340, which Windows Terminal keeps to whatever its font."""


class Protocol(Enum):
    """What the terminal is sent."""

    KITTY = "kitty"
    """Pictures by placeholder cells: kitty from 0.28 on, Ghostty."""
    KITTY_PLACED = "kitty, placed"
    """Pictures at a place, over the text: kitty before 0.28."""
    SIXEL = "sixel"
    ITERM = "iterm"
    PAGE = "page"
    """The page of a browser or window that the app was started for, which lays them over cells."""
    CELLS = "cells"


@dataclass(frozen=True, slots=True)
class TmuxClient:
    """The terminal around tmux as tmux knows it: TERM, the name and version that it told."""

    term: str = ""
    kind: str = ""
    has_passthrough: bool = False


@dataclass(frozen=True, slots=True)
class Graphics:
    """What was chosen, and why, for the screen that says so (F12)."""

    protocol: Protocol
    reason: str
    is_through_tmux: bool = False

    @property
    def has_pixels(self) -> bool:
        """False when cells are all there is."""
        return self.protocol is not Protocol.CELLS

    def describe(self, cell_px: tuple[int, int] | None) -> str:
        """`kitty (TERM tells of kitty), cells of 8×16 pixels`."""
        text = f"{self.protocol.value} ({self.reason})"
        return text if cell_px is None else f"{text}, cells of {cell_px[0]}×{cell_px[1]} pixels"


def choose_graphics(
    choice: str,
    environment: Mapping[str, str],
    *,
    ask_tmux: Callable[[], TmuxClient] | None = None,
) -> Graphics:
    """The protocol for a choice of `CHOICES`; `ask_tmux` tells of the terminal around tmux.

    Raises ConfigError for any other choice.
    """
    if choice not in CHOICES:
        raise ConfigError(f"graphics: expected one of {', '.join(CHOICES)}, got {choice!r}")
    if choice != "cells" and environment.get("TERM_PROGRAM") == PAGE_PROGRAM:
        return _choose_in_page(environment)
    is_in_tmux = bool(environment.get("TMUX"))
    if choice == "auto":
        if is_in_tmux:
            return _choose_in_tmux((ask_tmux or ask_tmux_server)(), environment)
        return _choose_by_environment(environment)
    if choice == "kitty":
        kitty = _choose_kitty(environment, "asked for")
        if is_in_tmux:  # what the server inherited may be another terminal's: placeholders follow
            return Graphics(Protocol.KITTY, "asked for, through tmux", is_through_tmux=True)
        return kitty
    return Graphics(Protocol(choice), "asked for")  # cells too


def name_terminal(environment: Mapping[str, str]) -> str:
    """What a remembered choice belongs to: another terminal gets its own."""
    program = environment.get("TERM_PROGRAM") or environment.get("TERM") or "unknown"
    return re.sub(r"[^A-Za-z0-9._+-]", "", program)[:40]


def _choose_by_environment(environment: Mapping[str, str]) -> Graphics:
    term = environment.get("TERM", "")
    program = environment.get("TERM_PROGRAM", "")
    if term == "xterm-kitty" or environment.get("KITTY_WINDOW_ID"):
        return _choose_kitty(environment, "TERM or KITTY_WINDOW_ID tells of kitty")
    if term == "xterm-ghostty" or program == "ghostty":
        return Graphics(Protocol.KITTY, "TERM or TERM_PROGRAM tells of Ghostty")
    if program in {"iTerm.app", "WezTerm"} or environment.get("LC_TERMINAL") == "iTerm2":
        return Graphics(Protocol.ITERM, f"TERM_PROGRAM tells of {program or 'iTerm2'}")
    if term.startswith(("foot", "mlterm")) or environment.get("MLTERM"):
        return Graphics(Protocol.SIXEL, "TERM or MLTERM tells of a terminal with sixels")
    if _read_number(environment.get("KONSOLE_VERSION", "")) >= FIRST_KONSOLE_WITH_SIXEL:
        return Graphics(Protocol.SIXEL, "KONSOLE_VERSION tells of sixels")
    return Graphics(Protocol.CELLS, "nothing in the environment tells of pixels")


def _choose_in_page(environment: Mapping[str, str]) -> Graphics:
    """What the server's own terminal is does not count: the page shows the app."""
    if read_page_cell(environment) is None:
        return Graphics(Protocol.CELLS, "in a page that told no size of its cells")
    return Graphics(Protocol.PAGE, "the page around the app lays them over cells")


def _choose_kitty(environment: Mapping[str, str], reason: str) -> Graphics:
    version = read_kitty_version(environment)
    if version is not None and version < FIRST_KITTY_WITH_PLACEHOLDERS:
        number = ".".join(map(str, version))
        return Graphics(Protocol.KITTY_PLACED, f"{reason}, version {number}")
    return Graphics(Protocol.KITTY, reason)


def read_kitty_version(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Of the kitty whose files the environment names; None over SSH, or for other packagings."""
    folder = environment.get("KITTY_INSTALLATION_DIR")
    if not folder:
        return None
    try:
        text = (Path(folder) / "kitty" / "constants.py").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    match = re.search(r"Version\((\d+),\s*(\d+),\s*\d+\)", text)
    return None if match is None else (int(match[1]), int(match[2]))


def _choose_in_tmux(client: TmuxClient, environment: Mapping[str, str]) -> Graphics:
    if client.term not in {"xterm-kitty", "xterm-ghostty"}:
        return Graphics(Protocol.CELLS, "inside tmux, in a terminal without kitty's protocol")
    if not client.has_passthrough:
        return Graphics(
            Protocol.CELLS, "inside tmux: `set -g allow-passthrough on` lets pixels out"
        )
    named_version = re.search(r"kitty\((\d+)\.(\d+)", client.kind)
    version = (
        (int(named_version[1]), int(named_version[2]))
        if named_version
        else read_kitty_version(environment)
    )
    is_kitty = client.term == "xterm-kitty"
    if is_kitty and version is not None and version < FIRST_KITTY_WITH_PLACEHOLDERS:
        number = ".".join(map(str, version))
        reason = f"inside tmux, in kitty {number}, which has no placeholder cells"
        return Graphics(Protocol.CELLS, reason)
    return Graphics(Protocol.KITTY, f"inside tmux, in {client.term}", is_through_tmux=True)


def ask_tmux_server() -> TmuxClient:
    """The terminal around tmux, and whether tmux lets sequences through to it.

    tmux's own server is asked, not the terminal; no answer is an empty client.
    """
    program = shutil.which("tmux")
    if program is None:
        return TmuxClient()
    answers = []
    for request in (("display-message", "-p", "#{client_termname}"),
                    ("display-message", "-p", "#{client_termtype}"),
                    ("show-options", "-Apv", "allow-passthrough")):  # fmt: skip
        try:
            answer = subprocess.run(
                [program, *request],
                capture_output=True,
                text=True,
                timeout=TMUX_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return TmuxClient()
        answers.append(answer.stdout.strip())
    return TmuxClient(answers[0], answers[1], answers[2] in {"on", "all"})


def _read_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def read_cell_px(protocol: Protocol) -> tuple[int, int]:
    """Width and height of a cell in pixels, as the terminal's driver in the kernel has them.

    Where it has none (some multiplexers, serial lines): what the protocol assumes. A page has
    told the server.
    """
    if protocol is Protocol.PAGE:
        return read_page_cell(os.environ) or DEFAULT_CELL_PX
    with suppress(OSError, ImportError, ValueError, AttributeError):
        import fcntl
        import termios

        answer = fcntl.ioctl(sys.__stdout__.fileno(), termios.TIOCGWINSZ, bytes(8))  # pyright: ignore[reportOptionalMemberAccess]
        rows, columns, width, height = struct.unpack("HHHH", answer)
        if rows and columns and width >= columns and height >= rows:
            return max(width // columns, 1), max(height // rows, 1)
    return SIXEL_CELL_PX if protocol is Protocol.SIXEL else DEFAULT_CELL_PX
