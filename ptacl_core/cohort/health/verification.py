"""Is a cohort directory whole? Every defect by name, and the repair of what is derived."""

import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ptacl_core.cohort.embedding_rows import EmbeddingKey
from ptacl_core.cohort.engine import connect_reader, execute, readable_errors
from ptacl_core.cohort.erasure.journal import JOURNAL_NAME
from ptacl_core.cohort.health import store_checks
from ptacl_core.cohort.health.defects import Defect
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.cohort.layout import CohortDescription, CohortLayout, list_secret_files
from ptacl_core.cohort.notes.notebook import Notes
from ptacl_core.cohort.notes.readings import find_reading_faults
from ptacl_core.cohort.opened_store import OpenedStore
from ptacl_core.cohort.publication import (
    Publication,
    read_manifest,
    write_manifest,
)
from ptacl_core.cohort.schema.views import OVERVIEW_SOURCES
from ptacl_core.cohort.search import mapped
from ptacl_core.cohort.search.index import KIND as INDEX_KIND
from ptacl_core.cohort.search.index import (
    build_index,
    drop_entry,
    find_valid_entry,
    read_entries,
)
from ptacl_core.cohort.writing.transaction import write_cohort
from ptacl_core.errors import CohortError, CohortVersionError
from ptacl_core.json_values import JsonObject
from ptacl_core.safety.files.atomic import choose_file_mode
from ptacl_core.safety.files.checksum import compute_sha256
from ptacl_core.safety.files.lock import hold_lock, read_holder


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked and found; `repaired` are defects that are no longer there.

    `remarks` are worth knowing and no defect: files that belong to nothing, a network disk.
    """

    num_checks: int
    defects: tuple[Defect, ...]
    repaired: tuple[Defect, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """True without a defect."""
        return not self.defects

    def as_dict(self) -> JsonObject:
        """The JSON document of `ptacl verify`."""
        return {
            "is_whole": self.is_whole,
            "num_checks": self.num_checks,
            "defects": [asdict(defect) for defect in self.defects],
            "repaired": [asdict(repair) for repair in self.repaired],
            "remarks": list(self.remarks),
        }


def verify_cohort(path: Path, *, repair: bool = False, is_light: bool = False) -> Verification:
    """Check everything of a cohort directory that belongs to the store.

    With `repair`, what is derived is made anew: manifest, overview and views, older schemas,
    indexes, rights of files, what a dead process left behind. Arrays of shards and weights of
    runs are checked by their own code. `is_light` compares sizes, not hashes. Raises CohortError
    only when `path` is not a cohort at all.
    """
    layout = CohortLayout(path.absolute())
    CohortDescription.read(layout)
    checked = _run_checks(layout, is_light=is_light)
    if not repair or all(not defect.is_repairable for defect in checked.defects):
        return checked
    with hold_lock(layout.writer_lock, purpose="repair"):
        codes = {defect.code for defect in checked.defects if defect.is_repairable}
        _repair_files(layout, codes)
        if "manifest" in codes:
            _rewrite_manifest(layout)
    if codes & {"schema", "derived"}:
        with write_cohort(layout, purpose="repair") as writer:
            writer.changed_tables.update(
                OVERVIEW_SOURCES
            )  # publishing migrates, makes what is derived
    if "index" in codes:
        _rebuild_indexes(layout)
    again = _run_checks(layout, is_light=is_light)
    left = {(defect.code, defect.place) for defect in again.defects}
    repaired = tuple(
        defect for defect in checked.defects if (defect.code, defect.place) not in left
    )
    return Verification(again.num_checks, again.defects, repaired)


def _run_checks(layout: CohortLayout, *, is_light: bool) -> Verification:
    checks: list[Callable[[CohortLayout], list[Defect]]] = [
        _check_leftovers,
        _check_rights,
        lambda layout: _check_store_file(layout, is_light=is_light),
        _check_store_rows,
        _check_index,
        _check_notes,
        _check_key,
        _check_erasure,
    ]
    defects: list[Defect] = []
    for check in checks:
        defects.extend(check(layout))
    return Verification(len(checks) - 1 + store_checks.NUM_CHECKS, tuple(defects))


def _check_leftovers(layout: CohortLayout) -> list[Defect]:
    """Private copies of a writer that died, and logs beside the published store."""
    defects = [
        Defect("leftover", path.name, "left behind by a process that died", is_repairable=True)
        for path in _leftovers(layout)
    ]
    log = layout.store.with_name(layout.store.name + ".wal")
    if log.exists():
        defects.append(
            Defect(
                "stray_log",
                log.name,
                "a write-ahead log beside the published store: another program wrote to it",
                is_repairable=True,
            )
        )
    return defects


def _leftovers(layout: CohortLayout) -> list[Path]:
    """What no living process is writing: of writers in the cohort, of builds in its index."""
    places = ((layout.root, layout.writer_lock), (layout.index, layout.index_lock))
    return [path for folder, lock in places for path in _abandoned_in(folder, lock)]


def _abandoned_in(folder: Path, lock: Path) -> list[Path]:
    if folder.is_dir() and read_holder(lock) is None:
        return _private_files(folder)
    return []  # nothing there, or somebody is at work: then these files are theirs


def _private_files(folder: Path) -> list[Path]:
    patterns = (".*.private", ".*.private.wal", ".*.tmp", ".*.tmp.wal")
    return sorted(path for pattern in patterns for path in folder.glob(pattern))


def _check_rights(layout: CohortLayout) -> list[Defect]:
    """Files are for their owner alone, or for the group that the cohort is shared with."""
    defects = []
    root_mode = layout.root.stat().st_mode
    shared = root_mode & 0o070 if root_mode & stat.S_ISGID else 0
    secrets = set(list_secret_files(layout))
    for path in [layout.root, *layout.root.rglob("*")]:
        with suppress(FileNotFoundError):
            mode = path.lstat().st_mode
            allowed = 0 if path in secrets else shared
            if not stat.S_ISLNK(mode) and mode & 0o077 & ~allowed:
                place = str(path.relative_to(layout.root))
                message = f"readable by others (mode {stat.S_IMODE(mode):04o})"
                defects.append(Defect("rights", place, message, is_repairable=True))
    return defects


def _check_store_file(layout: CohortLayout, *, is_light: bool) -> list[Defect]:
    """The store is byte for byte what was published; `is_light`: as long."""
    try:
        publications = read_manifest(layout)
    except CohortError as error:
        return [Defect("manifest", layout.manifest.name, str(error), is_repairable=True)]
    if not layout.store.exists():
        return [Defect("store_missing", layout.store.name, "the store is not there")]
    size = layout.store.stat().st_size
    if is_light and any(publication.bytes == size for publication in publications):
        return []
    digest = compute_sha256(layout.store)
    if not any(
        publication.bytes == size and publication.sha256 == digest for publication in publications
    ):
        message = (
            f"{size} bytes, SHA-256 {digest[:12]}…, not what was published: damaged or changed by "
            "another program; restore it from a copy, or make it anew from the shards"
        )
        return [Defect("store_changed", layout.store.name, message)]
    if len(publications) > 1:
        message = "a writer died between two steps of a publication"
        return [Defect("manifest", layout.manifest.name, message, is_repairable=True)]
    return []


def _check_store_rows(layout: CohortLayout) -> list[Defect]:
    try:
        opened = OpenedStore(layout)
    except CohortVersionError as error:
        return [Defect("schema", layout.store.name, str(error), is_repairable=True)]
    except CohortError as error:
        return [Defect("store_unreadable", layout.store.name, str(error))]
    try:
        return store_checks.check_rows(opened)
    except CohortError as error:
        return [Defect("store_unreadable", layout.store.name, str(error))]
    finally:
        opened.close()


def _check_index(layout: CohortLayout) -> list[Defect]:
    """Every index file is in the manifest, whole, and of the vectors that are there now."""
    if not layout.index.exists():
        return []
    try:
        opened = OpenedStore(layout)
    except CohortError:
        return []  # told by the check of the store
    defects = []
    try:
        entries = read_entries(opened)
        for entry in entries:
            key = EmbeddingKey(entry.run, entry.modality, entry.space)
            if find_valid_entry(opened, key) is None:
                message = "stale or damaged; search is exact without it"
                defects.append(Defect("index", entry.file, message, is_repairable=True))
        named = {entry.file for entry in entries}
        for file in layout.index.glob("*.hnsw"):
            if file.name not in named:
                message = f"not in the manifest ({INDEX_KIND})"
                defects.append(Defect("index", file.name, message, is_repairable=True))
        for file in [*mapped.find_stale(opened), *mapped.find_damaged(opened)]:
            message = "vectors that are not those of the store; it is read without them"
            defects.append(Defect("index", file.name, message, is_repairable=True))
    finally:
        opened.close()
    return defects


def _check_notes(layout: CohortLayout) -> list[Defect]:
    notes = Notes(layout, CohortDescription.read(layout).cohort_id)
    try:
        faults = notes.find_tampering()
    except CohortError as error:
        return [Defect("notes", layout.notes.name, str(error))]
    try:
        own = find_reading_faults(CohortDescription.read(layout).cohort_id)
    except CohortError as error:
        own = [str(error)]
    return [
        *(Defect("audit_log", layout.notes.name, fault) for fault in faults),
        *(Defect("own_log", "the log of your queries", fault) for fault in own),
    ]


def _check_key(layout: CohortLayout) -> list[Defect]:
    if CohortDescription.read(layout).key_fingerprint is None:
        return []
    try:
        open_key(layout)
    except CohortError as error:
        return [Defect("key", "key file", str(error))]
    return []


def _check_erasure(layout: CohortLayout) -> list[Defect]:
    if not layout.root.joinpath(JOURNAL_NAME).exists():
        return []
    message = "an erasure was interrupted; erase the people again, and it is finished"
    return [Defect("erasure", JOURNAL_NAME, message)]


def _repair_files(layout: CohortLayout, codes: set[str]) -> None:
    if "leftover" in codes:
        of_builds = _abandoned_in(layout.index, layout.index_lock)
        for path in [*_private_files(layout.root), *of_builds]:  # the writers' lock is held
            path.unlink(missing_ok=True)
    if "stray_log" in codes:
        layout.store.with_name(layout.store.name + ".wal").unlink(missing_ok=True)
    if "rights" in codes:
        for path in [layout.root, *layout.root.rglob("*")]:
            if not path.is_symlink():
                is_secret = path in list_secret_files(layout)
                folder_mode = stat.S_IMODE(layout.root.stat().st_mode)
                file_mode = 0o600 if is_secret else choose_file_mode(layout.root)
                path.chmod((folder_mode & 0o2770) | 0o700 if path.is_dir() else file_mode)


def _rewrite_manifest(layout: CohortLayout) -> None:
    """Name the store that is there, when its own rows prove it whole."""
    if not layout.store.exists():
        return
    known: tuple[Publication, ...] = ()
    with suppress(CohortError):
        known = read_manifest(layout)
    digest = compute_sha256(layout.store)
    for row in known:
        if row.sha256 == digest:
            write_manifest(layout, (row,))
            return
    if known:
        return  # a manifest that names another store: not ours to overwrite
    version = _read_version_inside(layout)
    if version is not None:
        write_manifest(layout, (Publication.of(layout.store, version=version),))


def _read_version_inside(layout: CohortLayout) -> int | None:
    try:
        connection = connect_reader(str(layout.store), label=layout.store)
        try:
            with readable_errors(layout.store):
                rows = execute(connection, "SELECT max(version) FROM store_version")
        finally:
            connection.close()
    except CohortError:
        return None  # the check of the store says what is wrong with it
    return int(rows[0][0]) if rows[0][0] is not None else None


def _rebuild_indexes(layout: CohortLayout) -> None:
    opened = OpenedStore(layout)
    try:
        entries = read_entries(opened)
        named = {entry.file for entry in entries}
        for file in layout.index.glob("*.hnsw"):
            if file.name not in named:
                file.unlink()
        for entry in entries:
            key = EmbeddingKey(entry.run, entry.modality, entry.space)
            if find_valid_entry(opened, key) is None:
                try:
                    build_index(opened, key)
                except CohortError:  # as where hnswlib is not: search is exact without it
                    drop_entry(opened, entry)
        for file in [*mapped.find_stale(opened), *mapped.find_damaged(opened)]:
            file.unlink()
    finally:
        opened.close()
