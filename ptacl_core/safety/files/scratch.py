"""Temporary folders that name their process: what a killed job left can be told and removed."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OWNER_FILE = ".ptacl-owner"
PREFIXES = ("ptacl-discover-", "ptacl-cine-", "ptacl-decode-", "ptacl-copy-")


def make_scratch(prefix: str) -> Path:
    """A private temporary folder of this process. Raises OSError."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.joinpath(OWNER_FILE).write_text(f"{os.getpid()} {_start_time(os.getpid())}\n")
    return folder


@contextmanager
def use_scratch(folder: Path | None) -> Iterator[None]:
    """Have the temporary files of this process and of its children lie in `folder`, made if new.

    None leaves the system's place. Raises OSError.
    """
    if folder is None:
        yield
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    before, variable = tempfile.tempdir, os.environ.get("TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder.absolute())
    try:
        yield
    finally:
        tempfile.tempdir = before
        if variable is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = variable


def find_scratch_folders() -> list[Path]:
    """Temporary folders that jobs of this product made, of living jobs and of killed ones."""
    places = {Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")}  # noqa: S108 - read only
    folders = {
        path.resolve()
        for place in places
        if place.is_dir()
        for prefix in PREFIXES
        for path in place.glob(f"{prefix}*")
    }
    return sorted(path for path in folders if path.is_dir() and path.stat().st_uid == os.getuid())


def is_abandoned(folder: Path) -> bool:
    """True when the process that made the folder is gone; False also when that is not known."""
    with suppress(OSError, ValueError):
        process, started = folder.joinpath(OWNER_FILE).read_text().split()
        return _start_time(int(process)) != started
    return False


def _start_time(process: int) -> str:
    """When a process started, in clock ticks since the machine did; empty when it is gone."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    return ""
