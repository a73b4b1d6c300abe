"""What a terminal pastes when a file is dropped on it → a path. Pure."""

import os
import shlex
from pathlib import Path
from urllib.parse import unquote, urlparse


def read_pasted_path(text: str) -> Path | None:
    """The path in `text`: plain, quoted, with escaped blanks, or a `file:` address.

    None when the text is empty, of several lines, or of several words that are not a path.
    """
    stripped = text.strip()
    if not stripped or "\n" in stripped or "\0" in stripped:
        return None
    if stripped.startswith("file:"):
        return Path(unquote(urlparse(stripped).path))
    if stripped[0] in "'\"" or "\\" in stripped:
        try:
            words = shlex.split(stripped)
        except ValueError:
            return None
        if len(words) != 1:
            return None
        stripped = words[0]
    return Path(os.path.expanduser(stripped))  # noqa: PTH111 - Path.expanduser raises on ~nobody
