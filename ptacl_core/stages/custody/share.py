"""`ptacl share`: a cohort opened to a group, to read or to write, or closed again."""

import stat
from pathlib import Path
from typing import Literal

from ptacl_core.cohort import CohortDescription, CohortLayout
from ptacl_core.cohort.layout import list_secret_files
from ptacl_core.errors import CohortError

Access = Literal["none", "read", "write"]
_FOLDER_MODES: dict[str, int] = {"none": 0o700, "read": 0o2750, "write": 0o2770}
_FILE_MODES: dict[str, int] = {"none": 0o600, "read": 0o640, "write": 0o660}


def run(cohort_dir: Path, access: Access, *, group: str | None = None) -> int:
    """Give the group of the folder (or `group`) access to everything but secrets.

    Identities, lineage and the register stay the owner's alone. What is written later follows
    the folder. Returns how many files and folders were changed. Raises CohortError when one
    cannot be changed, or there is no such group.
    """
    layout = CohortLayout(cohort_dir.absolute())
    CohortDescription.read(layout)
    secrets = set(list_secret_files(layout))
    group_id = -1 if group is None else _find_group(group)
    num_changed = 0
    for path in [layout.root, *sorted(layout.root.rglob("*"))]:
        if path.is_symlink():
            continue
        is_folder = path.is_dir()
        wanted = (_FOLDER_MODES if is_folder else _FILE_MODES)[access]
        wanted = 0o600 if path in secrets else wanted
        try:
            if group_id >= 0 and path not in secrets:
                _change_group(path, group_id)
            if stat.S_IMODE(path.stat().st_mode) != wanted:
                path.chmod(wanted)
                num_changed += 1
        except OSError as error:
            raise CohortError(
                f"{path}: its rights could not be changed ({error.strerror}); only the owner of a "
                "cohort can share it"
            ) from None
    return num_changed


def _find_group(name: str) -> int:
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise CohortError(f"--group {name}: there is no such group on this machine") from None


def _change_group(path: Path, group_id: int) -> None:
    import os

    os.chown(path, -1, group_id)
