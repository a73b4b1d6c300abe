"""MR images of a folder tree, each opened once: which examinations there are, and where."""

import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ptacl_core.io.files.dicom_sniffing import HEAD_BYTES, is_dicom_head, sniff_kind
from ptacl_core.io.identity.dicom_facts import EXAM_VALUES, read_dicom_head, to_facts
from ptacl_core.io.identity.facts import InsideFacts

_IMAGE_ENDINGS = {"", ".dcm", ".ima", ".dicom"}

Exam = tuple[str, str]
"""Study instance UID (of images without one: their folder) and patient, as the images say."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Files and subfolders of a folder by name, hidden ones left out; `fault`: why not."""

    files: list[Path]
    folders: list[Path]
    fault: str = ""


@dataclass(slots=True)
class FolderImages:
    """MR images directly in one folder, by examination, and the examinations below it."""

    images: dict[Exam, list[Path]] = field(default_factory=dict)
    places: dict[Exam, list[Path]] = field(default_factory=dict)

    @property
    def files(self) -> set[Path]:
        """All MR images in the folder."""
        return {file for files in self.images.values() for file in files}


@dataclass(slots=True)
class ImageTree:
    """Examinations of a tree; folders are listed and files opened at most once.

    `list_folder` tells what lies in a folder, so that a list of files can stand for the disk.
    """

    list_folder: Callable[[Path], Listing]
    facts: dict[Exam, InsideFacts] = field(default_factory=dict)
    _listings: dict[Path, Listing] = field(default_factory=dict)
    _folders: dict[Path, FolderImages] = field(default_factory=dict)

    def listing(self, folder: Path) -> Listing:
        """The folder's listing."""
        known = self._listings.get(folder)
        if known is None:
            known = self._listings[folder] = self.list_folder(folder)
        return known

    def scan(self, folder: Path) -> FolderImages:
        """The folder's images and the examinations in it and below."""
        known = self._folders.get(folder)
        if known is not None:
            return known
        waiting, order = [folder], list[Path]()
        while waiting:
            at = waiting.pop()
            if at not in self._folders:
                order.append(at)
                waiting += self.listing(at).folders
        for at in reversed(order):
            images = FolderImages(self._read_images(at, self.listing(at).files))
            for exam in images.images:
                images.places.setdefault(exam, []).append(at)
            for below in self.listing(at).folders:
                for exam, places in self._folders[below].places.items():
                    images.places.setdefault(exam, []).extend(places)
            self._folders[at] = images
        return self._folders[folder]

    def collect(self, exam: Exam, places: list[Path]) -> list[Path]:
        """The images of an examination in `places`."""
        return [file for place in places for file in self._folders[place].images[exam]]

    def forget(self, folder: Path) -> None:
        """Drop what is known of a folder that has been dealt with."""
        self._listings.pop(folder, None)

    def _read_images(self, folder: Path, files: list[Path]) -> dict[Exam, list[Path]]:
        by_exam: dict[Exam, list[Path]] = defaultdict(list)
        for file in files:
            if file.suffix.lower() not in _IMAGE_ENDINGS and not file.suffix[1:].isdecimal():
                continue  # image names such as `IM-0001.0012` or UIDs end in digits
            head = read_start(file)
            if head is None or not is_dicom_head(head) or sniff_kind(head) != "mr":
                continue
            values = read_dicom_head(head, EXAM_VALUES)
            exam = values.get("study_uid") or f"{folder}", values.get("patient_id")
            by_exam[exam].append(file)
            if exam not in self.facts:
                self.facts[exam] = to_facts(read_dicom_head(head))
        return dict(by_exam)


def read_start(path: Path) -> bytes | None:
    """The first bytes of a file; None when it cannot be read (it comes with its reason)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(descriptor, HEAD_BYTES)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def list_disk(path: Path) -> Listing:
    """What lies in a folder on disk."""
    try:
        with os.scandir(path) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        return Listing([], [], f"the folder cannot be read ({error.strerror})")
    shown = [entry for entry in ordered if not entry.name.startswith(".")]
    folders = [Path(entry.path) for entry in shown if entry.is_dir(follow_symlinks=False)]
    files = [Path(entry.path) for entry in shown if not entry.is_dir(follow_symlinks=False)]
    return Listing(files, folders)
