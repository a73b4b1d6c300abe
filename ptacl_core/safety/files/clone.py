"""A private copy of a file that shares its blocks with the original where the disk can do that."""

import errno
import fcntl
import shutil
from pathlib import Path

_FICLONE = 0x40049409
"""Linux: let the new file share all blocks of another (`ioctl_ficlone(2)`); XFS and Btrfs can."""

_CANNOT_SHARE = frozenset(
    {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM}
)


def clone_file(source: Path, target: Path) -> bool:
    """Make `target` a copy of `source`; True where no byte had to be copied for it.

    The two are files of their own: what is written to one afterwards is not seen in the other.
    Raises OSError (disk full, no right).
    """
    with source.open("rb") as original, target.open("wb") as copy:
        try:
            fcntl.ioctl(copy.fileno(), _FICLONE, original.fileno())
        except OSError as error:
            if error.errno not in _CANNOT_SHARE:
                raise
        else:
            return True
    shutil.copyfile(source, target)
    return False
