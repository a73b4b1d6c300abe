"""What foreign parsers raise on damaged files, told as one error of ours."""

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from ptacl_core.errors import UnreadableFileError

_FAULTS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


@contextmanager
def library_faults(name: str, kind: str, *extra: type[Exception]) -> Iterator[None]:
    """Run calls into a foreign parser on the file `name`, expected to be a `kind`.

    Its warnings are silenced (they may quote the file's text); its exceptions, and those named
    in `extra`, become UnreadableFileError with the cause kept. Errors of ours pass.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (*_FAULTS, *extra) as error:
        raise UnreadableFileError(
            f"{name}: expected a {kind}, found one that is damaged or cut short "
            f"({type(error).__name__}); copy or export it again"
        ) from error
