"""Where the terminal app remembers what it showed last: outside the cohort, so erasures look there.

The app writes these files; the rule of their names is here because an erasure, which has no
user interface, must find them.
"""

import hashlib
from pathlib import Path

from ptacl_core.cohort.private_folder import user_data_folder

APP_NAME = "ptacl"
CLIPBOARD_FILE = "clipboard.txt"


def get_state_dir() -> Path:
    """The folder of sessions, crash notes and the copy of the clipboard."""
    from platformdirs import user_state_path

    try:
        return user_state_path(APP_NAME)
    except RuntimeError:  # this user has no home
        return user_data_folder() / "state"


def get_session_path(state_dir: Path, cohort: Path) -> Path:
    """The session of one cohort; the file's name does not tell the cohort's."""
    return state_dir / f"session-{_digest(cohort)}.json"


def get_source_folders_path(state_dir: Path, cohort: Path) -> Path:
    """Where the folders are noted in which the files of one cohort lay."""
    return state_dir / f"sources-{_digest(cohort)}.json"


def _digest(cohort: Path) -> str:
    return hashlib.sha256(str(cohort.absolute()).encode()).hexdigest()[:16]


def find_state_files(cohort: Path) -> tuple[Path, ...]:
    """Files that may name people of `cohort`: session, source folders, clipboard, crash notes."""
    folder = get_state_dir()
    names = {cohort.absolute(), cohort.resolve()}
    paths = [get_session_path(folder, named) for named in names]
    paths += [get_source_folders_path(folder, named) for named in names]
    paths.append(folder / CLIPBOARD_FILE)
    paths.extend(sorted(folder.glob("crash*")))
    return tuple(path for path in paths if path.is_file())
