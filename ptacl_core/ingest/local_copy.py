"""A recording's archive on a disk of this machine while it is read.

Mounted stores (FUSE) answer one long read fast and a thousand seeks slowly: an archive is copied
whole, then unpacked and hashed from the copy.
"""

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ptacl_core.errors import UnreadableFileError
from ptacl_core.io.files.archive import is_zip
from ptacl_core.safety.text.printable import clean_text

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def local_copy(path: Path, scratch: Path | None) -> Iterator[Path]:
    """`path`, or its copy in `scratch` where it is an archive; the copy is gone afterwards.

    Each process holds one copy at a time. Raises UnreadableFileError for an archive that cannot be
    copied, OSError when `scratch` is full or cannot be written.
    """
    if scratch is None or not path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="ptacl-copy-", dir=scratch) as folder:
        try:
            source = Path(folder) / path.name if is_zip(path) else path
            if source != path:
                shutil.copyfile(path, source)
        except OSError as error:
            if error.errno in _FULL:
                raise
            raise UnreadableFileError(
                f"{clean_text(path.name)}: cannot be copied ({error.strerror or 'system error'})"
            ) from None
        yield source
