"""Folders, archives and lists of files → the recordings and tables in them, one after another."""

import atexit
import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from ptacl_core.errors import RecordError
from ptacl_core.io.cine.nifti_sets import find_parts_of_folder
from ptacl_core.io.discover.found import FoundFile
from ptacl_core.io.discover.images import Exam, ImageTree, Listing, list_disk
from ptacl_core.io.discover.kinds import FileKind, find_kind, without_name
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
from ptacl_core.io.files.dicom_sniffing import HEAD_BYTES, is_dicom_head, sniff_kind
from ptacl_core.io.identity.dicom_facts import read_dicom_head, to_facts
from ptacl_core.io.identity.facts import NO_FACTS, InsideFacts
from ptacl_core.io.identity.inside import read_facts
from ptacl_core.safety.files.scratch import make_scratch

__all__ = ["FoundFile", "discover", "discover_listed"]

_LIMITS = ArchiveLimits(
    max_archive_bytes=1024**4, max_total_bytes=256 * 1024**3, max_members=2_000_000
)

_SAFE_PART = re.compile(r"\w[\w .,()+=@&'-]{0,60}")  # letters of any script, no separators
_MAX_PARTS = 16
_NUM_PROBED = 16
_LIST_NAMES = {"manifest.csv", "manifest.cvs", "dicomdir"}


def discover(source: str | Path, *, scratch: Path | None = None) -> Iterator[FoundFile]:
    """Yield every recording and table in a file, folder or zip (zips inside zips too).

    Files are known by their first bytes and by UK Biobank's bulk names (`<eid>_20205_2_0.xml`,
    `<eid>_20209_2_0.zip`), in an order that depends on names alone. MR images of one study and
    patient are one cine, whose path is the folder that holds them alone, or a folder of links where
    others lie among them. What is of no use comes with modality
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


def discover_listed(
    paths: Sequence[Path], root: Path, *, scratch: Path | None = None
) -> Iterator[FoundFile]:
    """Yield as `discover` what a list of files below `root` names; no folder is walked for it.

    Folders in the list are walked. Places count from `root`, the folder that holds all of them.
    Raises UnreadableFileError for a listed path that is missing.
    """
    below: dict[Path, tuple[set[Path], set[Path]]] = defaultdict(lambda: (set(), set()))
    for path in paths:
        if not path.is_dir():
            check_file(path, max_bytes=_LIMITS.max_archive_bytes)
        below[path.parent][path.is_dir()].add(path)
        for folder in path.parents:
            if folder == root:
                break
            below[folder.parent][1].add(folder)

    def list_listed(folder: Path) -> Listing:
        if folder not in below:
            return list_disk(folder)
        files, folders = below[folder]
        return Listing(sorted(files), sorted(folders))

    walk = _Walk(scratch, images=ImageTree(list_listed), is_listed=True)
    return walk.visit_folder(root, PurePath(root.resolve().name))


@dataclass(slots=True)
class _Walk:
    """One walk: where archives are unpacked, what they used, what zips were found to hold."""

    scratch: Path | None
    budget: ArchiveBudget = field(default_factory=lambda: ArchiveBudget(_LIMITS, 0))
    zip_studies: dict[Path, tuple[str, InsideFacts] | None] = field(default_factory=dict)
    images: ImageTree = field(default_factory=lambda: ImageTree(list_disk))
    is_listed: bool = False
    done: set[Exam] = field(default_factory=set)

    def visit_folder(self, path: Path, name: PurePath, *, depth: int = 0) -> Iterator[FoundFile]:
        """A folder: its cines, its files, then its subfolders, by name.

        `name` is where the folder stands for the user, `depth` counts archives around it.
        """
        listing = self.images.listing(path)
        if listing.fault:
            yield FoundFile(path, "unknown", name.name, reason=listing.fault, place=name)
        series = self._series_zips(listing.files)
        images = self.images.scan(path)
        for exam, places in images.places.items():
            if exam not in self.done and _common_folder(places) == path:
                self.done.add(exam)
                yield self._make_cine(path, name, exam, places, is_alone=len(images.places) == 1)
        if series and not images.places:
            study = self._study_of_zip(min(series))
            parsed = parse_name(name)
            facts = study[1] if study else NO_FACTS
            yield FoundFile(
                path, "cmr", parsed.subject, parsed.visit, "dicom", place=name, facts=facts
            )
        else:
            series = series if len(images.places) == 1 else set()
        parts = series | find_segment_headers(
            [file for file in listing.files if file.suffix.lower() == ".hea"]
        )
        parts |= images.files
        if not images.places and (cine_files := find_parts_of_folder(listing.files)):
            parts |= cine_files
            parsed = parse_name(name)
            facts = read_facts(min(cine_files), "nifti")
            yield FoundFile(
                path, "cmr", parsed.subject, parsed.visit, "nifti", place=name, facts=facts
            )
        for file in listing.files:
            if file not in parts:
                yield from self.visit_file(file, name / file.name, depth=depth, in_folder=True)
        for folder in listing.folders:
            yield from self.visit_folder(folder, name / folder.name, depth=depth)
        self.images.forget(path)

    def _make_cine(
        self, path: Path, name: PurePath, exam: Exam, places: list[Path], *, is_alone: bool
    ) -> FoundFile:
        """The cine of an examination: its folder, or links where others lie in between."""
        parsed = parse_name(name)
        cine, member = path, ""
        if not is_alone or self.is_listed:
            files = self.images.collect(exam, places)
            cine = self._link(files)
            member = "" if is_alone else min(files).relative_to(path).as_posix()
        return FoundFile(
            cine,
            "cmr",
            parsed.subject,
            parsed.visit,
            "dicom",
            place=name,
            facts=self.images.facts[exam],
            is_mixed=not is_alone,
            member=member,
        )

    def _link(self, files: list[Path]) -> Path:
        folder = Path(tempfile.mkdtemp(dir=self._find_scratch(), prefix="examination-"))
        for number, file in enumerate(sorted(files)):
            (folder / f"{number:06d}{kept_suffix(file.name)}").symlink_to(file.absolute())
        return folder

    def _find_scratch(self) -> Path:
        if self.scratch is None:
            self.scratch = make_scratch("ptacl-discover-")
            atexit.register(shutil.rmtree, self.scratch, ignore_errors=True)
        self.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.scratch

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
        yield FoundFile(
            path,
            kind.modality,
            parsed.subject,
            parsed.visit,
            kind.format,
            kind.reason,
            place=name,
            facts=read_facts(path, kind.format, kind.head),
        )

    def _visit_archive(self, path: Path, name: PurePath, depth: int) -> Iterator[FoundFile]:
        parsed = parse_name(name)
        try:
            study = self._study_of_zip(path)
            if parsed.modality == "cmr" or study is not None:
                facts = study[1] if study is not None else NO_FACTS
                yield FoundFile(
                    path, "cmr", parsed.subject, parsed.visit, "dicom_zip", place=name, facts=facts
                )
                return
            if depth >= _LIMITS.max_depth:
                reason = f"archives are nested deeper than {_LIMITS.max_depth}"
                yield FoundFile(
                    path, "unknown", parsed.subject, parsed.visit, reason=reason, place=name
                )
                return
            folder = self._unpack(path)
        except (RecordError, OSError) as error:
            reason = without_name(error) if isinstance(error, RecordError) else _no_room(error)
            yield FoundFile(
                path, "unknown", parsed.subject, parsed.visit, reason=reason, place=name
            )
            return
        inside = name.with_name(name.name[: -len(name.suffix)] if name.suffix else name.name)
        yield from self.visit_folder(folder, inside, depth=depth + 1)

    def _unpack(self, path: Path) -> Path:
        """The archive's files in a new private folder, under their names where these are plain."""
        self.budget.packed_bytes += path.stat().st_size
        root = Path(tempfile.mkdtemp(dir=self._find_scratch(), prefix="archive-"))
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
        if first is None or not first[0]:
            return set()
        exam = first[0], first[1].identifier

        def is_same(file: Path) -> bool:
            study = self._study_of_zip(file)
            return study is not None and (study[0], study[1].identifier) == exam

        return {file for file in zips if is_same(file)} if is_same(zips[1]) else set()

    def _study_of_zip(self, path: Path) -> tuple[str, InsideFacts] | None:
        """Study and facts of a zip that holds nothing but MR images of one study; else None.

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


def _common_folder(places: list[Path]) -> Path | None:
    return Path(os.path.commonpath(places)) if places else None


def _probe_zip(path: Path) -> tuple[str, InsideFacts] | None:
    with open_archive(path, limits=_LIMITS) as archive:
        by_folder: dict[str, list[ArchiveMember]] = defaultdict(list)
        for member in archive.members:
            parent, _, base = member.name.rpartition("/")
            if base.lower() not in _LIST_NAMES:
                by_folder[parent].append(member)
        exams: dict[Exam, InsideFacts] = {}
        for parent, members in by_folder.items():
            for member in _spread(members, max(2, _NUM_PROBED // len(by_folder))):
                head = archive.read_head(member, num_bytes=HEAD_BYTES)
                if not is_dicom_head(head) or sniff_kind(head) != "mr":
                    return None
                values = read_dicom_head(head)
                facts = to_facts(values)
                study = values.get("study_uid") or (parent if len(by_folder) > 1 else "")
                exams.setdefault((study, facts.identifier), facts)
            if len(exams) > 1:
                return None
    return next(((exam[0], facts) for exam, facts in exams.items()), None)


def _spread(members: list[ArchiveMember], count: int) -> list[ArchiveMember]:
    """Up to `count` members from the first to the last, evenly."""
    if len(members) <= count:
        return members
    return [members[index * (len(members) - 1) // (count - 1)] for index in range(count)]
