"""What is said when a fault is ours: where it happened, and not one value."""

import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from ptacl_core import __version__
from ptacl_core.safety.files.atomic import write_text

_KEPT_NOTES = 10


def describe_fault(error: BaseException) -> str:
    """One line: kind of the error, file and line of ours where it arose."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "ptacl_" in frame.filename]
    place = ours[-1] if ours else (frames[-1] if frames else None)
    where = "" if place is None else f" in {_shorten(place.filename)}, line {place.lineno}"
    return f"{type(error).__name__}{where}"


def write_crash_note(error: BaseException, folder: Path) -> Path | None:
    """Write kind, versions and the stack (files, lines, functions) beside the log.

    No message and no local variable: both can hold a patient's values. Returns None when
    the folder cannot be written.
    """
    lines = [
        f"PTACL {__version__}, Python {sys.version.split()[0]}, {sys.platform}",
        f"time {datetime.now(UTC).isoformat(timespec='seconds')}",
    ]
    chain: BaseException | None = error
    while chain is not None:
        lines.append(type(chain).__name__)
        lines += [
            f"  {_shorten(frame.filename)}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(chain.__traceback__)
        ]
        chain = chain.__cause__ or chain.__context__
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    note = folder / f"crash-{stamp}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_text(note, "\n".join(lines) + "\n")
        for old in sorted(folder.glob("crash-*.txt"))[:-_KEPT_NOTES]:
            old.unlink(missing_ok=True)
    except OSError:
        return None
    return note


def _shorten(path: str) -> str:
    """A path without the folders above the package: they can name a person."""
    parts = Path(path).parts
    for root in ("ptacl_app", "ptacl_core", "site-packages", "lib"):
        if root in parts:
            return str(Path(*parts[parts.index(root) :]))
    return parts[-1] if parts else path
