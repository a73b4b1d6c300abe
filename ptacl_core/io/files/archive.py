"""Zip archives from strangers: counted, bounded, without links, unpacked under fresh names."""

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path

from ptacl_core.errors import RecordError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.files.bounded_file import check_file, shown_name
from ptacl_core.io.files.dicom_sniffing import is_dicom_head
from ptacl_core.io.files.file_source import FileSource, MemoryFile

MAX_MEMORY_BYTES = 512 * 1024**2
"""Bytes of images that stay in memory; UK Biobank's largest zips have a fifth of it."""
_PIECE_BYTES = 1024**2
_SUFFIX = re.compile(r"(\.nii)?\.[A-Za-z0-9]{1,5}$")
_JUNK_PARTS = {"__MACOSX", ".DS_Store", "Thumbs.db"}
_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may ask for, nested archives included.

    The ratio (unpacked to packed bytes) counts only above `ratio_floor_bytes`: plain images
    without noise pack well, a bomb unpacks to much more than that.
    """

    max_archive_bytes: int = 16 * 1024**3
    max_directory_bytes: int = 32 * 1024**2
    max_members: int = 100_000
    max_member_bytes: int = 1024**3
    max_total_bytes: int = 4 * 1024**3
    max_ratio: float = 200.0
    ratio_floor_bytes: int = 64 * 1024**2
    max_depth: int = 3


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """One file of an archive; `name` is its path inside, always relative and without `..`."""

    name: str
    info: zipfile.ZipInfo


@dataclass(frozen=True, slots=True)
class ExtractedFile:
    """A member on disk or in memory; `name` is its path inside its archive, for display only."""

    path: FileSource
    name: str


@dataclass(slots=True)
class ArchiveBudget:
    """What an archive and those inside it have used of their limits so far."""

    limits: ArchiveLimits
    packed_bytes: int
    num_members: int = 0
    num_bytes: int = 0
    num_names: int = 0

    def next_number(self) -> int:
        """A number not given before, for a fresh file name."""
        self.num_names += 1
        return self.num_names

    def count_members(self, number: int, where: str) -> None:
        """Count `number` more files; raises UnsupportedFormatError above the limit."""
        self.num_members += number
        if self.num_members > self.limits.max_members:
            raise UnsupportedFormatError(
                f"{where}: the archive holds more than {self.limits.max_members} files; "
                "split it by patient"
            )

    def count_bytes(self, number: int, where: str) -> None:
        """Count `number` more unpacked bytes; raises UnsupportedFormatError above a limit."""
        self.num_bytes += number
        if self.num_bytes > self.limits.max_total_bytes:
            raise UnsupportedFormatError(
                f"{where}: the archive unpacks to more than "
                f"{self.limits.max_total_bytes / 1024**3:.1f} GB; split it by patient"
            )
        ratio = self.num_bytes / max(self.packed_bytes, 1)
        if self.num_bytes > self.limits.ratio_floor_bytes and ratio > self.limits.max_ratio:
            raise UnsupportedFormatError(
                f"{where}: the archive unpacks to more than {self.limits.max_ratio:.0f} times its "
                "size, as a zip bomb does; unpack it yourself if you trust it and give the folder"
            )


@dataclass(frozen=True, slots=True)
class SafeArchive:
    """An open zip whose names, kinds and counts have been checked."""

    shown: str
    members: tuple[ArchiveMember, ...]
    budget: ArchiveBudget
    _zip: zipfile.ZipFile = field(repr=False)

    def read_head(self, member: ArchiveMember, *, num_bytes: int) -> bytes:
        """The first `num_bytes` of a member. Raises RecordError when it is damaged."""
        with _in_words(self.shown), self._zip.open(member.info) as stream:
            return stream.read(num_bytes)

    def load(self, member: ArchiveMember) -> bytes:
        """The bytes of a member, counted as they come. Raises as `extract`."""
        pieces: list[bytes] = []
        with _in_words(self.shown), self._zip.open(member.info) as stream:
            num_bytes = 0
            while piece := stream.read(_PIECE_BYTES):
                num_bytes += len(piece)
                self._count(num_bytes, len(piece))
                pieces.append(piece)
        return b"".join(pieces)

    def _count(self, num_member_bytes: int, num_new_bytes: int) -> None:
        limits = self.budget.limits
        if num_member_bytes > limits.max_member_bytes:
            raise UnsupportedFormatError(
                f"{self.shown}: a file in the archive unpacks to more than "
                f"{limits.max_member_bytes / 1024**2:.0f} MB; no recording does"
            )
        self.budget.count_bytes(num_new_bytes, self.shown)

    def extract(self, member: ArchiveMember, target: Path) -> None:
        """Write a member to the new file `target`, counting the bytes that really come.

        Raises RecordError when the member is damaged or a limit is passed, and removes what was
        written.
        """
        try:
            with (
                _in_words(self.shown),
                self._zip.open(member.info) as stream,
                target.open("xb") as output,
            ):
                num_bytes = 0
                while piece := stream.read(_PIECE_BYTES):
                    num_bytes += len(piece)
                    self._count(num_bytes, len(piece))
                    output.write(piece)
        except BaseException:
            target.unlink(missing_ok=True)
            raise


@contextmanager
def open_archive(
    path: Path, *, limits: ArchiveLimits | None = None, budget: ArchiveBudget | None = None
) -> Iterator[SafeArchive]:
    """Open the zip `path` after checking its directory; nothing is unpacked yet.

    A `budget` shared with an outer archive makes both count together. Raises
    UnreadableFileError for what is not a whole zip, UnsupportedFormatError for links, devices,
    encrypted members, absolute paths, paths with `..` and more members than the limits allow.
    """
    limits = budget.limits if budget else limits or ArchiveLimits()
    shown = shown_name(path)
    packed_bytes = check_file(path, max_bytes=limits.max_archive_bytes)
    budget = budget or ArchiveBudget(limits, packed_bytes)
    with path.open("rb") as stream:
        _check_directory_size(stream, packed_bytes, limits, shown)
        with _in_words(shown):
            archive = zipfile.ZipFile(stream)
        with archive:
            infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
            budget.count_members(len(infos), shown)
            members = [
                ArchiveMember(_checked_name(info, shown), info)
                for info in infos
                if not _is_junk(info.filename)
            ]
            members.sort(key=lambda member: (member.name, member.info.header_offset))
            yield SafeArchive(shown, tuple(members), budget, archive)


def extract_archive(
    path: Path,
    folder: Path,
    *,
    limits: ArchiveLimits | None = None,
    budget: ArchiveBudget | None = None,
) -> list[ExtractedFile]:
    """Unpack the zip `path`, zips inside it too, into the existing `folder`, flat.

    Files get fresh names (a number and the ending they had), so that no name of the archive
    reaches the file system. DICOM images stay in memory, as long as all of them are below
    `MAX_MEMORY_BYTES`. A shared `budget` makes several archives count together. Raises as
    `open_archive` and `SafeArchive.extract`.
    """
    budget = budget or ArchiveBudget(limits or ArchiveLimits(), 0)
    budget.packed_bytes += check_file(path, max_bytes=budget.limits.max_archive_bytes)
    files: list[ExtractedFile] = []
    _extract_into(path, folder, prefix="", budget=budget, depth=1, files=files)
    return files


def is_zip(path: Path) -> bool:
    """Whether the file starts as a zip does. Raises OSError."""
    with path.open("rb") as stream:
        return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def kept_suffix(name: str) -> str:
    """The ending of `name`, with its dot and in lower case, when it is a plain one."""
    match = _SUFFIX.search(name)
    return match.group().lower() if match else ""


def _extract_into(
    path: Path,
    folder: Path,
    *,
    prefix: str,
    budget: ArchiveBudget,
    depth: int,
    files: list[ExtractedFile],
) -> None:
    if depth > budget.limits.max_depth:
        raise UnsupportedFormatError(
            f"{shown_name(path)}: archives are nested deeper than {budget.limits.max_depth}; "
            "unpack the outer ones yourself"
        )
    with open_archive(path, budget=budget) as archive:
        for member in archive.members:
            target = folder / f"{budget.next_number():06d}{kept_suffix(member.name)}"
            if budget.num_bytes + member.info.file_size <= MAX_MEMORY_BYTES:
                data = archive.load(member)
                if is_dicom_head(data[:256]):
                    files.append(ExtractedFile(MemoryFile(member.name, data), prefix + member.name))
                    continue
                _write_new(target, data, archive.shown)
            else:
                archive.extract(member, target)
            if is_zip(target) and target.suffix != ".npz":
                _extract_into(
                    target,
                    folder,
                    prefix=f"{prefix}{member.name}/",
                    budget=budget,
                    depth=depth + 1,
                    files=files,
                )
                target.unlink()
            else:
                files.append(ExtractedFile(target, prefix + member.name))


def _write_new(target: Path, data: bytes, shown: str) -> None:
    with _in_words(shown), target.open("xb") as output:
        output.write(data)


def _check_directory_size(
    stream: BufferedIOBase, num_bytes: int, limits: ArchiveLimits, shown: str
) -> None:
    """Refuse a central directory that would fill the memory before it can be counted."""
    tail_bytes = min(num_bytes, 22 + 65_535)
    stream.seek(num_bytes - tail_bytes)
    tail = stream.read(tail_bytes)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) - end < 22:
        raise UnreadableFileError(
            f"{shown}: expected a zip archive, its directory at the end is missing; "
            "the download may have stopped early, fetch it again"
        )
    directory_bytes = struct.unpack_from("<L", tail, end + 12)[0]
    if directory_bytes == 0xFFFFFFFF:  # said in the zip64 record
        directory_bytes = 0
    locator = end - 20
    if locator >= 0 and tail[locator : locator + 4] == b"PK\6\7":
        record_at = struct.unpack_from("<Q", tail, locator + 8)[0]
        stream.seek(min(record_at, num_bytes))
        record = stream.read(56)
        if len(record) == 56:
            directory_bytes = max(directory_bytes, struct.unpack_from("<Q", record, 40)[0])
    stream.seek(0)
    if directory_bytes > limits.max_directory_bytes:
        raise UnsupportedFormatError(
            f"{shown}: the archive's list of files has {directory_bytes / 1024**2:.0f} MB, at most "
            f"{limits.max_directory_bytes / 1024**2:.0f} MB are read; split it by patient"
        )


def _checked_name(info: zipfile.ZipInfo, shown: str) -> str:
    """The member's path, or UnsupportedFormatError when its name or kind is not a plain file's."""
    name = info.filename.replace("\\", "/")
    parts = name.split("/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in parts or "\0" in name:
        raise UnsupportedFormatError(
            f"{shown}: the archive holds a path that leads out of it; do not trust this file"
        )
    if not name.strip("/. "):
        raise UnreadableFileError(
            f"{shown}: the archive holds a file without a name; fetch or export it again"
        )
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise UnsupportedFormatError(
            f"{shown}: the archive holds a link or device, expected plain files; pack the files "
            "themselves"
        )
    if info.flag_bits & 0x1:
        raise UnsupportedFormatError(
            f"{shown}: the archive is encrypted; unpack it with its password and give the folder"
        )
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnsupportedFormatError(
            f"{shown}: the archive uses compression method {info.compress_type}, expected stored "
            "or deflated; unpack it yourself and give the folder"
        )
    return "/".join(part for part in parts if part not in ("", "."))


def _is_junk(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return parts[-1].startswith("._") or bool(_JUNK_PARTS.intersection(parts))


@contextmanager
def _in_words(shown: str) -> Iterator[None]:
    """Turn whatever zipfile and the disk raise into UnreadableFileError."""
    try:
        yield
    except RecordError:
        raise
    except _ZIP_FAULTS as error:
        raise UnreadableFileError(
            f"{shown}: the archive is damaged ({type(error).__name__}); fetch or export it again"
        ) from error
    except OSError as error:
        raise UnreadableFileError(
            f"{shown}: the archive cannot be unpacked ({error.strerror or 'system error'}); "
            "check rights and free disk space"
        ) from error
