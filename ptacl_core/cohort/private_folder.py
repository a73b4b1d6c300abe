"""The folder outside every cohort for keys and heads of audit logs, for this user alone."""

import os
from pathlib import Path

from ptacl_core.errors import CohortError

KEYS_VARIABLE = "PTACL_KEYS"


def keys_folder() -> Path:
    """Where keys and heads of audit logs lie: `PTACL_KEYS`, or the user's data folder."""
    given = os.environ.get(KEYS_VARIABLE)
    return Path(given).absolute() if given else user_data_folder() / "keys"


def user_data_folder() -> Path:
    """This user's data folder; of a user without a home, as in an image, that of `PTACL_KEYS`.

    Raises CohortError where neither is there.
    """
    from platformdirs import user_data_path

    try:
        return user_data_path("ptacl")
    except RuntimeError:
        given = os.environ.get(KEYS_VARIABLE)
    if not given:
        raise CohortError(
            f"this user has no home folder: set HOME or XDG_DATA_HOME, or {KEYS_VARIABLE} to a "
            "folder for keys and logs"
        )
    return Path(given).absolute()


def make_private_folder(folder: Path) -> None:
    """Make `folder` for this user alone. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
