"""Where the files of a cohort lay when they were read: this user's, outside the cohort.

A cohort holds hashes of its source files and no paths, which often name people. The terminal app
looks here for the folders in which it may find a file by its hash, to show it as it was recorded.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from ptacl_core.cohort.erasure.app_state import get_source_folders_path, get_state_dir
from ptacl_core.safety.files.atomic import write_json

MAX_FOLDERS = 32
"""The folders named last are kept."""


def remember_source_folders(
    cohort: Path, folders: Iterable[Path], *, state_dir: Path | None = None
) -> None:
    """Note folders and archives beside those noted before, the newest first. Raises OSError."""
    state_dir = state_dir or get_state_dir()
    given = [str(folder.absolute()) for folder in folders]
    known = [str(folder) for folder in read_source_folders(cohort, state_dir=state_dir)]
    kept = list(dict.fromkeys([*given, *known]))[:MAX_FOLDERS]
    if kept and kept != known:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json(get_source_folders_path(state_dir, cohort), {"folders": kept})


def read_source_folders(cohort: Path, *, state_dir: Path | None = None) -> tuple[Path, ...]:
    """The folders noted, the newest first; none where the note cannot be read."""
    path = get_source_folders_path(state_dir or get_state_dir(), cohort)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    folders = document.get("folders") if isinstance(document, dict) else None
    if not isinstance(folders, list):
        return ()
    return tuple(Path(folder) for folder in folders if isinstance(folder, str))
