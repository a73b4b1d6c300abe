"""SHA-256 of files, read once and in pieces."""

import hashlib
from pathlib import Path


def compute_sha256(path: Path) -> str:
    """Hex SHA-256 of the file's bytes. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
