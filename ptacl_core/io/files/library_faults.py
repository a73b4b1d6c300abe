"""What foreign parsers raise on damaged files, told as one error of ours."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ptacl_core.errors import PtaclError, UnreadableFileError


@contextmanager
def library_faults(name: str, kind: str) -> Iterator[None]:
    """Run calls into a foreign parser on the file `name`, expected to be a `kind`.

    Such parsers raise whatever they meet (tokenize.TokenError, BytesLengthException,
    RuntimeError …), so every exception of theirs becomes UnreadableFileError, its cause kept.
    Their warnings are silenced, as they may quote the file. Errors of ours pass.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except PtaclError:
        raise
    except Exception as error:
        raise UnreadableFileError(
            f"{name}: expected a {kind}, found one that is damaged or cut short "
            f"({type(error).__name__}); copy or export it again"
        ) from error
