"""Completes paths in an input from what is on disk."""

import asyncio
from pathlib import Path

from textual.suggester import Suggester

from ptacl_app.text.formatting import safe

MAX_ENTRIES = 5000


class PathSuggester(Suggester):
    """Suggests the first name that goes on with what is typed; folders end in a slash."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The completed path, None when nothing fits."""
        return await asyncio.to_thread(complete_path, value)


def complete_path(value: str) -> str | None:
    """The first entry, in order, whose path starts with `value`."""
    folder_text, slash, start = value.rpartition("/")
    if not slash and not start:
        return None
    folder = Path(folder_text + slash).expanduser() if slash else Path()
    try:
        names = []
        for number, entry in enumerate(folder.iterdir()):
            if number >= MAX_ENTRIES:
                break
            if entry.name.startswith(start) and (start or not entry.name.startswith(".")):
                names.append(entry.name + ("/" if entry.is_dir() else ""))
    except (OSError, RuntimeError):
        return None
    printable = sorted(name for name in names if safe(name, max_length=1000) == name)
    return f"{folder_text}{slash}{printable[0]}" if printable else None
