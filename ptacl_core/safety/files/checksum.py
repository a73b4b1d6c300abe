"""SHA-256 of files, read once and in pieces."""

import hashlib
from pathlib import Path


def compute_sha256(path: Path) -> str:
    """Hex SHA-256 of the file's bytes. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def compute_text_hash(text: str) -> str:
    """Hex SHA-256 of UTF-8 `text`: the same on every machine, unlike `hash`."""
    return hashlib.sha256(text.encode()).hexdigest()
