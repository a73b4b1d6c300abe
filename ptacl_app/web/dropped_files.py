"""Files that were dropped on a page: kept for its app alone, and gone with it."""

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ptacl_core.errors import ConfigError

if TYPE_CHECKING:
    from aiohttp import MultipartReader

MAX_BYTES = 256 * 2**20
MAX_FILES = 8
_CHUNK_BYTES = 2**16
_HARMLESS = re.compile(r"[^A-Za-z0-9._-]+")
HEADER_SUFFIXES = (".hea",)
"""Of several files this one is opened: it names the others."""


class DroppedFiles:
    """A private folder, made when the first file comes."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._num_drops = 0

    async def save(self, parts: "MultipartReader") -> Path:
        """Write one drop; the path of the file to open. Raises ConfigError for too much."""
        saved = await self.save_all(parts)
        headers = [path for path in saved if path.suffix.lower() in HEADER_SUFFIXES]
        return (headers or saved)[0]

    async def save_all(self, parts: "MultipartReader") -> list[Path]:
        """Write one drop; the paths in one new folder. Raises ConfigError for too much."""
        from aiohttp import BodyPartReader

        folder = self._make_folder()
        saved: list[Path] = []
        num_bytes = 0
        async for part in parts:
            if not isinstance(part, BodyPartReader):
                raise ConfigError("expected files, got a form within the form")
            name = clean_name(part.filename or "")
            if len(saved) == MAX_FILES:
                raise ConfigError(f"expected at most {MAX_FILES} files at once")
            with (folder / name).open("xb") as stream:
                while chunk := await part.read_chunk(_CHUNK_BYTES):
                    num_bytes += len(chunk)
                    if num_bytes > MAX_BYTES:
                        raise ConfigError(
                            f"expected files of at most {MAX_BYTES // 2**20} MiB together"
                        )
                    stream.write(chunk)
            saved.append(folder / name)
        if not saved:
            raise ConfigError("expected a file, got none")
        return saved

    def remove(self) -> None:
        """Delete all of them."""
        if self._folder is not None:
            shutil.rmtree(self._folder)
            self._folder = None

    def _make_folder(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="ptacl-dropped-"))
        self._num_drops += 1
        folder = self._folder / str(self._num_drops)
        folder.mkdir()
        return folder


def clean_name(name: str) -> str:
    """A file name without folders, blanks or anything that a shell or terminal reads."""
    last = re.split(r"[/\\]", name)[-1]
    return _HARMLESS.sub("_", last).lstrip(".")[-120:] or "file"
