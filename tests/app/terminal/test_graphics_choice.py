"""Which protocol the environment tells of; nothing is asked of the terminal."""

import pytest

from ptacl_app.terminal.graphics import (
    Protocol,
    TmuxClient,
    choose_graphics,
    name_terminal,
    read_kitty_version,
)
from ptacl_core.errors import ConfigError


def never_asked():
    raise AssertionError("tmux was asked")


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, Protocol.KITTY),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, Protocol.KITTY),
        ({"TERM": "xterm-ghostty"}, Protocol.KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, Protocol.KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, Protocol.ITERM),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, Protocol.ITERM),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, Protocol.ITERM),
        ({"TERM": "foot"}, Protocol.SIXEL),
        ({"TERM": "mlterm"}, Protocol.SIXEL),
        ({"TERM": "xterm", "MLTERM": "3.9.0"}, Protocol.SIXEL),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "230800"}, Protocol.SIXEL),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "210400"}, Protocol.CELLS),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "new"}, Protocol.CELLS),
        ({"TERM": "xterm-256color"}, Protocol.CELLS),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode"}, Protocol.CELLS),
        ({"TERM": "xterm-256color", "WT_SESSION": "1"}, Protocol.CELLS),
        ({"TERM": "screen"}, Protocol.CELLS),
        ({}, Protocol.CELLS),
    ],
)
def test_the_environment_decides(environment, protocol):
    choice = choose_graphics("auto", environment, ask_tmux=never_asked)
    assert choice.protocol is protocol
    assert choice.reason
    assert choice.has_pixels is (protocol is not Protocol.CELLS)


@pytest.mark.parametrize(
    ("answer", "protocol"),
    [
        (TmuxClient("xterm-kitty", "", True), Protocol.KITTY),
        (TmuxClient("xterm-kitty", "kitty(0.43.1)", True), Protocol.KITTY),
        (TmuxClient("xterm-kitty", "kitty(0.26.5)", True), Protocol.CELLS),  # no placeholders
        (TmuxClient("xterm-ghostty", "ghostty 1.1.3", True), Protocol.KITTY),
        (TmuxClient("xterm-kitty", "kitty(0.43.1)", False), Protocol.CELLS),
        (TmuxClient("xterm-256color", "XTerm(379)", True), Protocol.CELLS),
        (TmuxClient(), Protocol.CELLS),
    ],
)
def test_inside_tmux_its_server_tells_of_the_terminal_around_it(answer, protocol):
    environment = {
        "TERM": "tmux-256color",
        "TMUX": "/tmp/tmux-0/default,1,0",
        "KITTY_WINDOW_ID": "1",
    }
    choice = choose_graphics("auto", environment, ask_tmux=lambda: answer)
    assert choice.protocol is protocol
    assert choice.is_through_tmux is choice.has_pixels


def test_what_is_asked_for_goes_before_the_environment():
    kitty = {"TERM": "xterm-kitty"}
    for choice in ("sixel", "iterm", "cells"):
        assert choose_graphics(choice, kitty).protocol.value == choice
    assert choose_graphics("kitty", {"TERM": "xterm"}).protocol is Protocol.KITTY
    through = choose_graphics("kitty", {"TERM": "screen", "TMUX": "x"}, ask_tmux=never_asked)
    assert (through.protocol, through.is_through_tmux) == (Protocol.KITTY, True)
    with pytest.raises(ConfigError, match="auto, kitty, sixel, iterm, cells, got 'vt340'"):
        choose_graphics("vt340", {})


@pytest.mark.parametrize(
    ("text", "version", "protocol"),
    [
        ("version: Version = Version(0, 26, 5)\n", (0, 26), Protocol.KITTY_PLACED),
        ("version: Version = Version(0, 27, 1)\n", (0, 27), Protocol.KITTY_PLACED),
        ("version: Version = Version(0, 28, 0)\n", (0, 28), Protocol.KITTY),
        ("version: Version = Version(0, 43, 1)\n", (0, 43), Protocol.KITTY),
        ("nothing of the kind\n", None, Protocol.KITTY),
    ],
)
def test_the_installed_kitty_tells_whether_it_knows_placeholders(tmp_path, text, version, protocol):
    (tmp_path / "kitty").mkdir()
    (tmp_path / "kitty" / "constants.py").write_text(text)
    environment = {"TERM": "xterm-kitty", "KITTY_INSTALLATION_DIR": str(tmp_path)}
    assert read_kitty_version(environment) == version
    assert choose_graphics("auto", environment).protocol is protocol
    # inside tmux, where the terminal itself told nothing: placeholders or cells
    inside = {**environment, "TERM": "tmux-256color", "TMUX": "x"}
    client = TmuxClient("xterm-kitty", "", True)
    choice = choose_graphics("auto", inside, ask_tmux=lambda: client)
    assert choice.has_pixels is (protocol is Protocol.KITTY)


def test_a_choice_is_remembered_for_one_kind_of_terminal():
    assert name_terminal({"TERM": "xterm-kitty"}) == "xterm-kitty"
    assert name_terminal({"TERM": "xterm", "TERM_PROGRAM": "iTerm.app"}) == "iTerm.app"
    assert name_terminal({"TERM": "a b/../c\x1b"}) == "ab..c"
    assert name_terminal({}) == "unknown"
