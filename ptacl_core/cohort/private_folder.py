"""The folder outside every cohort for keys and heads of audit logs, for this user alone."""

import os
from pathlib import Path

KEYS_VARIABLE = "PTACL_KEYS"


def keys_folder() -> Path:
    """Where keys and heads of audit logs lie: `PTACL_KEYS`, or the user's data folder."""
    given = os.environ.get(KEYS_VARIABLE)
    if given:
        return Path(given).absolute()
    from platformdirs import user_data_path

    return user_data_path("ptacl") / "keys"


def make_private_folder(folder: Path) -> None:
    """Make `folder` for this user alone. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
