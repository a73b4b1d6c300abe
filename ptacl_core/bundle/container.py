"""The container of a packed model: a zip of few, stored, named members, read within bounds.

Whatever a stranger's file says of itself is checked against the file before memory is spent on
it: members are not compressed, so none can grow; the directory is short, so few can be listed;
names come from a list; nothing is unpacked to a disk and nothing in it is run.
"""

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from ptacl_core.errors import BundleError
from ptacl_core.safety.files.atomic import write_bytes
from ptacl_core.safety.text.printable import clean_text

SUFFIX = ".ptacl"
MAX_FILE_BYTES = 4 * 2**30
MAX_MEMBERS = 12
_MAX_DIRECTORY_BYTES = 4096
_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_DATE = (1980, 1, 1, 0, 0, 0)


def write_members(path: Path, members: Mapping[str, bytes]) -> None:
    """Write `members` as one file, whole or not at all, with mode 0600. Raises OSError."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), data)
    write_bytes(path, buffer.getvalue())


class Container:
    """The members of a `.ptacl` file, listed and measured before any of them is read.

    Raises BundleError when the file is not one of ours, in one line that says what is wrong.
    """

    def __init__(self, path: Path, *, names: frozenset[str]) -> None:
        self.path = path
        self.place = clean_text(path.name)
        try:
            if not path.is_file():
                raise self._fault("expected a file, found none there")
            self.num_bytes = path.stat().st_size
            with path.open("rb") as stream:
                self._check_end(stream)
                self._members = self._list(stream, names)
        except OSError as error:
            raise self._fault(
                f"cannot be read ({error.strerror or type(error).__name__})"
            ) from None

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def sizes(self) -> dict[str, int]:
        """Bytes by member."""
        return {name: info.file_size for name, info in self._members.items()}

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """The bytes of one member. Raises BundleError when it is missing, large or damaged."""
        info = self._members.get(name)
        if info is None:
            raise self._fault(f"has no {name}")
        if info.file_size > max_bytes:
            raise self._fault(f"{name} has {info.file_size} bytes, more than the {max_bytes} taken")
        try:
            with self.path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
                data = archive.read(info)
        except (*_ZIP_FAULTS, OSError) as error:
            raise self._fault(f"{name} is damaged ({type(error).__name__})") from None
        if len(data) != info.file_size:
            raise self._fault(f"{name} is cut off")
        return data

    def _check_end(self, stream: BinaryIO) -> None:
        """The end record stands at the end and lists few members in a short directory."""
        if self.num_bytes > MAX_FILE_BYTES:
            raise self._fault(f"has {self.num_bytes} bytes, more than a packed model")
        if self.num_bytes < _END.size:
            raise self._fault("is empty or cut off, not a packed model")
        stream.seek(self.num_bytes - _END.size)
        signature, _, _, here, count, size, offset, comment = _END.unpack(stream.read(_END.size))
        if signature != _END_SIGNATURE or comment:
            raise self._fault("is not a packed model, or it was cut off or changed")
        if here != count or count > MAX_MEMBERS or size > _MAX_DIRECTORY_BYTES:
            raise self._fault(f"lists {count} members; a packed model has at most {MAX_MEMBERS}")
        if offset + size + _END.size != self.num_bytes:
            raise self._fault("its directory does not stand where it says: cut off or changed")

    def _list(self, stream: BinaryIO, names: frozenset[str]) -> dict[str, zipfile.ZipInfo]:
        try:
            with zipfile.ZipFile(stream) as archive:
                listed = archive.infolist()
        except _ZIP_FAULTS as error:
            raise self._fault(f"its directory is damaged ({type(error).__name__})") from None
        members: dict[str, zipfile.ZipInfo] = {}
        end = 0
        for info in sorted(listed, key=lambda member: member.header_offset):
            name = clean_text(info.filename, max_length=60)
            if info.filename not in names or info.filename in members:
                raise self._fault(f"holds a member that does not belong there, or twice: {name}")
            if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & ~0x800:
                raise self._fault(f"{name} is compressed or encrypted; members are stored plainly")
            if info.file_size != info.compress_size or info.header_offset < end:
                raise self._fault(f"{name} says that it is larger than it is")
            end = info.header_offset + info.compress_size
            if end > self.num_bytes:
                raise self._fault(f"{name} reaches beyond the end of the file: cut off")
            members[info.filename] = info
        return members

    def _fault(self, what: str) -> BundleError:
        return BundleError(f"{self.place}: {what}")


_ZIP_FAULTS = (
    zipfile.BadZipFile, zipfile.LargeZipFile, struct.error, ValueError, NotImplementedError,
    RuntimeError, EOFError, KeyError, IndexError, OverflowError, UnicodeError, MemoryError,
)  # fmt: skip
