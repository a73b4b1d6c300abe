"""One change of the store: a private copy is written, verified and published whole by rename."""

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ptacl_core import __version__
from ptacl_core.cohort.engine import connect_writer, execute, readable_errors, refuse_stray_wal
from ptacl_core.cohort.layout import CohortDescription, CohortLayout
from ptacl_core.cohort.notes.notebook import Notes
from ptacl_core.cohort.publication import current_publication, publish
from ptacl_core.cohort.schema.migrations import migrate
from ptacl_core.cohort.schema.views import build_derived
from ptacl_core.cohort.writing.keyed_hashes import find_file_hash
from ptacl_core.cohort.writing.writer import CohortWriter
from ptacl_core.errors import CohortError
from ptacl_core.safety.files.clone import clone_file
from ptacl_core.safety.files.lock import hold_lock, wait_for_lock

if TYPE_CHECKING:
    import duckdb


@contextmanager
def write_cohort(
    layout: CohortLayout, *, purpose: str, waits: bool = False
) -> Iterator[CohortWriter]:
    """Change the store of `layout`: a writer on a private copy, published when the block ends.

    The writer's lock is held throughout. On an exception, or when the process dies, the
    published store stays as it was. Raises CohortLockedError when another process writes, with
    `waits` only when it does so for ten minutes; CohortError when the store is damaged or the
    disk full.
    """
    hold = wait_for_lock if waits else hold_lock
    with hold(layout.writer_lock, purpose=purpose):
        private = layout.root / f".{layout.store.name}.private"
        _remove(private)
        try:
            version = _start_private_copy(layout, private)
            connection = connect_writer(private)
            try:
                with readable_errors(private):
                    migrated = migrate(
                        connection, file=layout.store, file_hash=find_file_hash(layout)
                    )
                writer = CohortWriter(connection, private, layout)
                yield writer
                changed = None if migrated else writer.changed_tables
                with readable_errors(private):
                    _finish(connection, version=version, purpose=purpose, changed=changed)
            finally:
                connection.close()
            publish(layout, private, version=version)
            _write_audit(layout, writer.audit_entries)
        except OSError as error:
            raise CohortError(
                f"{layout.store}: could not be written ({error.strerror or error}); the "
                "published store is unchanged: free some space, then try again"
            ) from error
        finally:
            _remove(private)


def _start_private_copy(layout: CohortLayout, private: Path) -> int:
    if not layout.store.exists() and not layout.manifest.exists():
        return 1
    refuse_stray_wal(layout.store)
    version = current_publication(layout).version
    clone_file(layout.store, private)
    private.chmod(0o600)
    return version + 1


def _finish(
    connection: "duckdb.DuckDBPyConnection",
    *,
    version: int,
    purpose: str,
    changed: Set[str] | None,
) -> None:
    build_derived(connection, changed=changed)
    execute(connection, "DELETE FROM store_version")
    execute(
        connection,
        "INSERT INTO store_version VALUES (?, ?, ?, ?)",
        [version, purpose, __version__, datetime.now(UTC).replace(tzinfo=None)],
    )
    execute(connection, "CHECKPOINT")


def _write_audit(layout: CohortLayout, entries: Sequence[tuple[str, dict[str, object]]]) -> None:
    if entries:
        notes = Notes(layout, CohortDescription.read(layout).cohort_id)
        for action, details in entries:
            notes.append_audit(action, **details)


def _remove(private: Path) -> None:
    for path in (private, private.with_name(private.name + ".wal")):
        with suppress(FileNotFoundError):
            path.unlink()
