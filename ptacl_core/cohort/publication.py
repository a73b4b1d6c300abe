"""The store's manifest, and how a new version takes the place of the old one.

Two files cannot be replaced at once. So the manifest names the new version beside the old
one before the store is renamed, and the new one alone afterwards: whichever moment a process
dies at, the store on disk is one that the manifest names.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from ptacl_core.cohort.engine import refuse_stray_wal
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.errors import CohortError
from ptacl_core.safety.files.atomic import choose_file_mode, write_json
from ptacl_core.safety.files.checksum import compute_sha256

KIND = "ptacl-store-manifest"
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Publication:
    """One version of the store: number, size and SHA-256 of the file."""

    version: int
    bytes: int
    sha256: str

    @classmethod
    def of(cls, file: Path, *, version: int) -> "Publication":
        """Measure a closed store file. Raises OSError."""
        return cls(version=version, bytes=file.stat().st_size, sha256=compute_sha256(file))


def read_manifest(layout: CohortLayout) -> tuple[Publication, ...]:
    """The versions that the store on disk may be, the newest last. Raises CohortError."""
    try:
        document: Any = json.loads(layout.manifest.read_text(encoding="utf-8"))
        if document["kind"] != KIND:
            raise ValueError("kind")
        publications = tuple(
            Publication(int(entry["version"]), int(entry["bytes"]), str(entry["sha256"]))
            for entry in document["stores"]
        )
        if not publications:
            raise ValueError("stores")
    except FileNotFoundError:
        raise CohortError(
            f"{layout.manifest}: expected the store's manifest, found no file; "
            "run 'ptacl verify --repair'"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CohortError(
            f"{layout.manifest}: cannot be read as the store's manifest "
            f"({type(error).__name__}); run 'ptacl verify --repair'"
        ) from None
    return publications


def write_manifest(layout: CohortLayout, publications: tuple[Publication, ...]) -> None:
    """Write the manifest atomically. Raises OSError."""
    stores = [{"version": p.version, "bytes": p.bytes, "sha256": p.sha256} for p in publications]
    write_json(layout.manifest, {"kind": KIND, "stores": stores})


def publish(layout: CohortLayout, private: Path, *, version: int) -> Publication:
    """Put the closed and verified `private` store in the published one's place.

    Called with the writer's lock held. Raises OSError; the published store is then the old one.
    """
    private.chmod(choose_file_mode(layout.root))
    _sync(private)
    new = Publication.of(private, version=version)
    old = current_publication(layout) if layout.store.exists() else None
    write_manifest(layout, (new,) if old is None else (old, new))
    private.replace(layout.store)
    _sync(layout.root)
    write_manifest(layout, (new,))
    return new


def current_publication(layout: CohortLayout) -> Publication:
    """The manifest's entry that the store on disk is, told by its size and, in doubt, its hash.

    Raises CohortError when it is none of them: cut short, or changed by another program.
    """
    with open_published(layout) as file:
        size = os.fstat(file.fileno()).st_size
        matching = [
            publication for publication in read_manifest(layout) if publication.bytes == size
        ]
        if len(matching) > 1:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            matching = [publication for publication in matching if publication.sha256 == digest]
    if not matching:
        raise _changed(layout, read_manifest(layout), size)
    return matching[-1]


def open_published(layout: CohortLayout) -> BufferedReader:
    """The published store as an open file, of a size that the manifest names.

    A publication between reading the manifest and opening the file is met by trying again.
    Raises CohortError when the file is missing, cut short, changed, or has a stray log.
    """
    publications, size = read_manifest(layout), 0
    for _ in range(_ATTEMPTS):
        refuse_stray_wal(layout.store)
        try:
            file = layout.store.open("rb")
        except OSError as error:
            raise CohortError(
                f"{layout.store}: expected the store, but the file cannot be opened "
                f"({error.strerror}); restore it from a copy, or run 'ptacl verify'"
            ) from None
        size = os.fstat(file.fileno()).st_size
        if any(publication.bytes == size for publication in publications):
            return file
        file.close()
        previous, publications = publications, read_manifest(layout)
        if publications == previous:
            break
    raise _changed(layout, publications, size)


def _changed(layout: CohortLayout, publications: tuple[Publication, ...], size: int) -> CohortError:
    expected = " or ".join(str(publication.bytes) for publication in publications)
    return CohortError(
        f"{layout.store}: expected {expected} bytes as published, got {size}; the file was cut "
        "short or changed by another program: restore it from a copy, or run 'ptacl verify'"
    )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
