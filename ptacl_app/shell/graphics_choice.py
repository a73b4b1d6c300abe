"""Which pictures the reader asked for, kept for the next start in the same kind of terminal."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from ptacl_app.shell.settings import AppSettings, get_state_dir
from ptacl_app.terminal.graphics import CHOICES, Graphics, choose_graphics, name_terminal
from ptacl_core.safety.files.atomic import write_text

FILE_NAME = "graphics.json"
MAX_TERMINALS = 20


def choose_remembered(
    settings: AppSettings,
    *,
    is_asked: bool,
    environment: Mapping[str, str] | None = None,
    state_dir: Path | None = None,
) -> Graphics:
    """The protocol for this start.

    An option (`is_asked`) goes first and is kept, where the settings remember; then comes what
    the settings file says, then what was asked for in this kind of terminal before, then the
    environment.
    """
    given = os.environ if environment is None else environment
    path = (state_dir or get_state_dir()) / FILE_NAME
    terminal = name_terminal(given)
    choices = load_choices(path)
    if is_asked and settings.remember:
        keep_choice(path, {**choices, terminal: settings.graphics})
    choice = settings.graphics
    if choice == "auto" and not is_asked and settings.remember:
        choice = choices.get(terminal, "auto")
    return choose_graphics(choice, given)


def load_choices(path: Path) -> dict[str, str]:
    """What was asked for by kind of terminal; nothing when there is no such file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {
        str(terminal): choice
        for terminal, choice in document.items()
        if isinstance(choice, str) and choice in CHOICES
    }


def keep_choice(path: Path, choices: Mapping[str, str]) -> bool:
    """Write the choices, the last twenty; False when the folder takes nothing."""
    kept = dict(list(choices.items())[-MAX_TERMINALS:])
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_text(path, json.dumps(kept, indent=1) + "\n")
    except OSError:
        return False
    return True
