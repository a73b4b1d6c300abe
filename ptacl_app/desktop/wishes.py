"""What is to be opened: the words of a command line, a dialog's choice, dropped files. Checked."""

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ptacl_app.data.cohort_check import check_cohort
from ptacl_app.text.formatting import safe
from ptacl_core.errors import ConfigError

MAX_FILES = 64
MAX_PATH_CHARACTERS = 4096
MODEL_SUFFIX = ".ptacl"
DESCRIPTION = "cohort.toml"
"""A cohort's own file stands for its folder: a file manager opens files more readily."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing to open: a cohort, ECG files, a packed model, or both of the latter.

    Nothing of it: the start page.
    """

    cohort: Path | None = None
    files: tuple[Path, ...] = ()
    model: Path | None = None

    @property
    def is_empty(self) -> bool:
        """Nothing was named."""
        return self == Wish()


def understand(paths: Sequence[Path], *, model: Path | None = None) -> Wish:
    """What `paths` are, each by what it is: a cohort's folder, a packed model, ECG files.

    Raises ConfigError or CohortError in one line for what cannot be opened, or not together.
    """
    if len(paths) > MAX_FILES:
        raise ConfigError(f"expected at most {MAX_FILES} files at once, got {len(paths)}")
    cohorts, files = [], []
    models = [] if model is None else [_check_model(check_path(model))]
    for path in map(check_path, paths):
        if path.is_dir():
            cohorts.append(check_cohort(path))
        elif path.name == DESCRIPTION:
            cohorts.append(check_cohort(path.parent))
        elif path.suffix.lower() == MODEL_SUFFIX:
            models.append(path)
        else:
            files.append(path)
    if len(cohorts) > 1 or (cohorts and (files or models)):
        raise ConfigError("expected one cohort, or ECG files and a packed model, not both at once")
    if len(models) > 1:
        raise ConfigError(f"expected one packed model, got {len(models)}")
    return Wish(next(iter(cohorts), None), tuple(files), next(iter(models), None))


def check_path(path: Path) -> Path:
    """The path, absolute. Raises ConfigError unless a file or folder is there.

    Links are followed before one looks; a device, a pipe or a socket is never opened.
    """
    name = safe(path, max_length=200)
    if len(str(path)) > MAX_PATH_CHARACTERS:
        raise ConfigError(f"expected a path of at most {MAX_PATH_CHARACTERS} characters: {name}")
    try:
        absolute = path.expanduser().absolute()
        mode = absolute.stat().st_mode
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise ConfigError(f"{name}: expected a file or a folder ({reason})") from None
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ConfigError(f"{name}: expected a file or a folder, got a device, pipe or socket")
    return absolute


def check_target(path: Path) -> Path:
    """Where a file may be saved, absolute. Raises ConfigError.

    A new file, or a plain one that the user chose to replace, in a folder that is there.
    """
    name = safe(path, max_length=200)
    if not path.is_absolute() or len(str(path)) > MAX_PATH_CHARACTERS or "\0" in str(path):
        raise ConfigError(f"{name}: expected a whole path to save to")
    try:
        folder = path.parent.resolve(strict=True)
        target = folder / path.name
        is_there = target.is_symlink() or target.exists()
        mode = target.lstat().st_mode if is_there else stat.S_IFREG
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise ConfigError(f"{name}: cannot be saved to ({reason})") from None
    if not folder.is_dir() or not stat.S_ISREG(mode):
        raise ConfigError(f"{name}: expected a new file or a plain one to replace")
    return target


def _check_model(path: Path) -> Path:
    if path.is_dir():
        raise ConfigError(f"{safe(path)}: expected a packed model, got a folder")
    return path
