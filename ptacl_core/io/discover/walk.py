"""Folders and archives → the recordings and tables in them, one after another."""

import atexit
import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from ptacl_core.errors import RecordError
from ptacl_core.io.discover.kinds import FileKind, Modality, find_kind, without_name
from ptacl_core.io.discover.names import parse_name
from ptacl_core.io.ecg.wfdb.header import find_segment_headers
from ptacl_core.io.files.archive import (
    ArchiveBudget,
    ArchiveLimits,
    ArchiveMember,
    kept_suffix,
    open_archive,
)
from ptacl_core.io.files.bounded_file import check_file
from ptacl_core.io.files.dicom_sniffing import HEAD_BYTES, is_dicom_head, sniff_kind, sniff_study

_LIMITS = ArchiveLimits(
    max_archive_bytes=1024**4, max_total_bytes=256 * 1024**3, max_members=2_000_000
)
_SAFE_PART = re.compile(r"\w[\w .,()+=@&'-]{0,60}")  # letters of any script, no separators
_MAX_PARTS = 16
_NUM_PROBED = 8
_IMAGE_ENDINGS = {"", ".dcm", ".ima", ".dicom"}
_LIST_NAMES = {"manifest.csv", "manifest.cvs", "dicomdir"}


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file, or a folder of DICOM files, and whose recording it is.

    `format` is what the reader will find ("wfdb", "dicom_zip", "nifti" …), "" when unknown;
    `reason` says why an unknown file is not used.
    """

    path: Path
    modality: Modality
    subject: str
    visit: str = ""
    format: str = ""
    reason: str = ""


def discover(source: str | Path, *, scratch: Path | None = None) -> Iterator[FoundFile]:
    """Yield every recording and table in a file, folder or zip (zips inside zips too).

    Files are known by their first bytes and by UK Biobank's bulk names (`<eid>_20205_2_0.xml`,
    `<eid>_20209_2_0.zip`), in an order that depends on names alone. MR images of one study below
    one folder are one cine, whose path is that folder. What is of no use comes with modality
    "unknown" and a reason; parts of a recording (WFDB signal files, sidecars, manifests,
    segmentations) do not come by themselves.

    An archive that is one cine comes as itself; others are unpacked to `scratch`, without one to a
    private temporary folder that is removed when the process ends, so that paths stay good until
    then. Raises UnreadableFileError when `source` itself is missing or empty.
    """
    path = Path(source)
    walk = _Walk(scratch)
    if path.is_dir():
        return walk.visit_folder(path, PurePath(path.resolve().name))
    check_file(path, max_bytes=_LIMITS.max_archive_bytes)
    return walk.visit_file(path, PurePath(path.name))


@dataclass(slots=True)
class _Walk:
    """One walk: where archives are unpacked, what they used, what zips were found to hold."""

    scratch: Path | None
    budget: ArchiveBudget = field(default_factory=lambda: ArchiveBudget(_LIMITS, 0))
    zip_studies: dict[Path, str | None] = field(default_factory=dict)

    def visit_folder(
        self, path: Path, name: PurePath, *, depth: int = 0, is_inside_cine: bool = False
    ) -> Iterator[FoundFile]:
        """A folder: its cine if it is one, its files, then its subfolders, by name.

        `name` is where the folder stands for the user, `depth` counts archives around it.
        """
        files, folders, fault = _list_folder(path)
        if fault:
            yield FoundFile(path, "unknown", name.name, reason=fault)
        if not is_inside_cine:
            studies, places = self._studies_below(path)
            direct = any(place == path for place in places)
            is_meeting_point = len(studies) == 1 and (direct or _common_folder(places) == path)
            if is_meeting_point or (direct and len(studies) > 1):
                is_inside_cine = is_meeting_point
                parsed = parse_name(name)
                yield FoundFile(path, "cmr", parsed.subject, parsed.visit, "dicom")
        parts = self._series_zips(files) if is_inside_cine else set()
        parts |= find_segment_headers([file for file in files if file.suffix.lower() == ".hea"])
        for file in files:
            if file not in parts:
                yield from self.visit_file(file, name / file.name, depth=depth, in_folder=True)
        for folder in folders:
            yield from self.visit_folder(
                folder, name / folder.name, depth=depth, is_inside_cine=is_inside_cine
            )

    def visit_file(
        self, path: Path, name: PurePath, *, depth: int = 0, in_folder: bool = False
    ) -> Iterator[FoundFile]:
        """A file by itself; MR images of a folder come with the folder."""
        parsed = parse_name(name)
        kind = find_kind(path)
        if kind is None:
            return
        if parsed.reason:
            kind = FileKind(reason=parsed.reason)
        if kind.is_archive:
            yield from self._visit_archive(path, name, depth)
            return
        if kind.is_mr_image:
            if in_folder:
                return
            kind = FileKind("cmr", "dicom")
        yield FoundFile(path, kind.modality, parsed.subject, parsed.visit, kind.format, kind.reason)

    def _visit_archive(self, path: Path, name: PurePath, depth: int) -> Iterator[FoundFile]:
        parsed = parse_name(name)
        try:
            if parsed.modality == "cmr" or self._study_of_zip(path) is not None:
                yield FoundFile(path, "cmr", parsed.subject, parsed.visit, "dicom_zip")
                return
            if depth >= _LIMITS.max_depth:
                reason = f"archives are nested deeper than {_LIMITS.max_depth}"
                yield FoundFile(path, "unknown", parsed.subject, parsed.visit, reason=reason)
                return
            folder = self._unpack(path)
        except (RecordError, OSError) as error:
            reason = without_name(error) if isinstance(error, RecordError) else _no_room(error)
            yield FoundFile(path, "unknown", parsed.subject, parsed.visit, reason=reason)
            return
        inside = name.with_name(name.name[: -len(name.suffix)] if name.suffix else name.name)
        yield from self.visit_folder(folder, inside, depth=depth + 1)

    def _unpack(self, path: Path) -> Path:
        """The archive's files in a new private folder, under their names where these are plain."""
        self.budget.packed_bytes += path.stat().st_size
        if self.scratch is None:
            self.scratch = Path(tempfile.mkdtemp(prefix="ptacl-discover-"))
            atexit.register(shutil.rmtree, self.scratch, ignore_errors=True)
        self.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        root = Path(tempfile.mkdtemp(dir=self.scratch, prefix="archive-"))
        with open_archive(path, budget=self.budget) as archive:
            for member in archive.members:
                target = self._target(root, member)
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                archive.extract(member, target)
        return root

    def _target(self, root: Path, member: ArchiveMember) -> Path:
        parts = member.name.split("/")
        is_plain = len(parts) <= _MAX_PARTS and all(_SAFE_PART.fullmatch(part) for part in parts)
        target = root.joinpath(*parts)
        if is_plain and not target.exists() and not any(p.is_file() for p in target.parents):
            return target
        return root / f"file-{self.budget.next_number():06d}{kept_suffix(member.name)}"

    def _studies_below(self, path: Path) -> tuple[set[str], list[Path]]:
        """Studies of the MR images in `path` and below, and their folders; stops at the second."""
        studies: set[str] = set()
        places: list[Path] = []
        waiting = [path]
        while waiting and len(studies) < 2:
            at = waiting.pop()
            files, folders, _ = _list_folder(at)
            found = _probe_folder(files)
            series = self._series_zips(files)
            if found is None and series:
                found = self._study_of_zip(min(series))
            if found is not None:
                studies.add(found or str(at))
                places.append(at)
            waiting += reversed(folders)
        return studies, places

    def _series_zips(self, files: list[Path]) -> set[Path]:
        """Zips in one folder that each hold MR images of one and the same study (two or more)."""
        zips = [
            file
            for file in files
            if file.suffix.lower() == ".zip" and parse_name(PurePath(file.name)).modality is None
        ]
        if len(zips) < 2:
            return set()
        first = self._study_of_zip(zips[0])
        if not first or self._study_of_zip(zips[1]) != first:
            return set()
        return {file for file in zips if self._study_of_zip(file) == first}

    def _study_of_zip(self, path: Path) -> str | None:
        """The study when the zip holds nothing but MR images of one study; None otherwise.

        "" when the images do not name their study and lie in one folder.
        """
        if path not in self.zip_studies:
            try:
                self.zip_studies[path] = _probe_zip(path)
            except RecordError:
                self.zip_studies[path] = None  # opening it tells why
        return self.zip_studies[path]


def _no_room(error: OSError) -> str:
    return f"the archive cannot be unpacked ({error.strerror or 'system error'})"


def _list_folder(path: Path) -> tuple[list[Path], list[Path], str]:
    """Files and subfolders by name, hidden ones left out; why the folder cannot be read."""
    try:
        with os.scandir(path) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        return [], [], f"the folder cannot be read ({error.strerror})"
    shown = [entry for entry in ordered if not entry.name.startswith(".")]
    folders = [Path(entry.path) for entry in shown if entry.is_dir(follow_symlinks=False)]
    files = [Path(entry.path) for entry in shown if not entry.is_dir(follow_symlinks=False)]
    return files, folders, ""


def _common_folder(places: list[Path]) -> Path | None:
    return Path(os.path.commonpath(places)) if places else None


def _probe_folder(files: list[Path]) -> str | None:
    """The study of the folder's MR images ("" when they do not say), None when it has none."""
    likely = [file for file in files if file.suffix.lower() in _IMAGE_ENDINGS or _is_numbered(file)]
    for file in likely[:_NUM_PROBED]:
        if not file.is_file():
            continue
        try:
            with file.open("rb") as stream:
                head = stream.read(HEAD_BYTES)
        except OSError:
            continue  # the file comes later, with its reason
        if is_dicom_head(head) and sniff_kind(head) == "mr":
            return sniff_study(head) or ""
    return None


def _is_numbered(path: Path) -> bool:
    """Image names such as `IM-0001.0012` or UIDs end in digits."""
    return path.suffix[1:].isdecimal()


def _probe_zip(path: Path) -> str | None:
    with open_archive(path, limits=_LIMITS) as archive:
        by_folder: dict[str, list[ArchiveMember]] = defaultdict(list)
        for member in archive.members:
            parent, _, base = member.name.rpartition("/")
            if base.lower() not in _LIST_NAMES:
                by_folder[parent].append(member)
        studies: set[str] = set()
        for parent, members in by_folder.items():
            for member in (members[0], members[-1]):
                head = archive.read_head(member, num_bytes=HEAD_BYTES)
                if not is_dicom_head(head) or sniff_kind(head) != "mr":
                    return None
                study = sniff_study(head)
                studies.add(study or (parent if len(by_folder) > 1 else ""))
            if len(studies) > 1:
                return None
    return studies.pop() if studies else None
