"""Puts the app into the user's desktop: menu entry, icon, file types; and takes them out again.

Freedesktop's places and formats: Desktop Entry 1.5, shared-mime-info 0.21, XDG Base Directory.
"""

import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from ptacl_core.errors import ConfigError
from ptacl_core.safety.files.atomic import write_bytes

PLACES = {
    "ptacl.desktop": "applications/ptacl.desktop",
    "ptacl.svg": "icons/hicolor/scalable/apps/ptacl.svg",
    "ptacl.xml": "mime/packages/ptacl.xml",
}
"""Files of the package → where they lie below a data folder."""
UPDATES = (("update-mime-database", "mime"), ("update-desktop-database", "applications"))
"""What refreshes the desktop's caches, where it is installed."""
_RESERVED = set(" \t\n\"'\\><~|&;$*?#()`")
READABLE = 0o644
FOLDER = "inode/directory"


def install_entry(data: Path | None = None) -> list[Path]:
    """Write entry, icon and file types for this user; what was written.

    The entry starts this very program, wherever it is installed. What opened folders before still
    does; PTACL is offered beside it. Raises ConfigError where the desktop has other means, OSError.
    """
    folder = data or get_data_folder()
    opens_folders = _ask_for_default(FOLDER)
    written = []
    for name, place in PLACES.items():
        content = files("ptacl_app.desktop").joinpath("share", name).read_bytes()
        if name.endswith(".desktop"):
            content = write_entry(content.decode(), find_program()).encode()
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(target, content, mode=READABLE)
        written.append(target)
    _refresh(folder)
    if opens_folders and _ask_for_default(FOLDER) == "ptacl.desktop" != opens_folders:
        _run("xdg-mime", "default", opens_folders, FOLDER)
    return written


def uninstall_entry(data: Path | None = None) -> list[Path]:
    """Remove what `install_entry` wrote; what was removed. Raises ConfigError, OSError."""
    folder = data or get_data_folder()
    removed = [folder / place for place in PLACES.values() if (folder / place).exists()]
    for path in removed:
        path.unlink()
    if removed:
        _refresh(folder)
    return removed


def get_data_folder() -> Path:
    """The user's data folder. Raises ConfigError where desktops do not look there."""
    if sys.platform in ("win32", "darwin"):
        raise ConfigError("--install: menu entries are written on Linux only; see docs/window.md")
    given = os.environ.get("XDG_DATA_HOME", "")
    return Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "share"


def find_program() -> tuple[str, ...]:
    """The words that start this program from anywhere."""
    started = Path(sys.argv[0])
    if getattr(sys, "frozen", False):
        return (str(Path(sys.executable).absolute()),)
    if started.name == "ptacl-app" and started.exists():
        return (str(started.absolute()),)
    return (str(Path(sys.executable).absolute()), "-P", "-m", "ptacl_app")


def write_entry(template: str, program: tuple[str, ...]) -> str:
    """The entry with `program` in place of the plain name."""
    command = " ".join(quote_word(word) for word in program)
    lines = []
    for line in template.splitlines():
        key, _, value = line.partition("=")
        if key == "Exec":
            lines.append(f"Exec={value.replace('ptacl-app', command, 1)}")
        elif key == "TryExec":
            lines.append(f"TryExec={escape_value(program[0])}")
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def quote_word(word: str) -> str:
    """A word as `Exec` wants it: quoted where it must be, then escaped as a value.

    Raises ConfigError for a line break, which no entry can hold.
    """
    if "\n" in word or "\r" in word:
        raise ConfigError(f"{word!r}: a menu entry cannot start a program with a line break in it")
    text = word.replace("%", "%%")
    if _RESERVED & set(word):
        for letter in '\\"`$':
            text = text.replace(letter, f"\\{letter}")
        text = f'"{text}"'
    return escape_value(text)


def escape_value(text: str) -> str:
    """Escapes of any value of an entry."""
    return text.replace("\\", "\\\\").replace("\t", "\\t")


def _refresh(folder: Path) -> None:
    for program, place in UPDATES:
        if (folder / place).is_dir():
            _run(program, str(folder / place))


def _ask_for_default(mime_type: str) -> str:
    return _run("xdg-mime", "query", "default", mime_type)


def _run(program: str, *words: str) -> str:
    """What a program of the desktop printed; nothing where it is not installed."""
    path = shutil.which(program)
    if path is None:
        return ""
    finished = subprocess.run([path, *words], check=False, capture_output=True, text=True)
    return finished.stdout.strip()
