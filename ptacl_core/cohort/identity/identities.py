"""`identities.duckdb`: pseudonym to identifier, written only when an import was asked to.

It is a file of its own because DuckDB has no rights per table: the console never opens it.
Every change rewrites it whole, so that removed rows leave no bytes.
"""

from collections.abc import Mapping, Sequence

from ptacl_core.cohort.engine import (
    connect_reader,
    connect_writer,
    descriptor_path,
    execute,
    readable_errors,
)
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.errors import CohortError
from ptacl_core.safety.files.atomic import atomic_path
from ptacl_core.safety.files.lock import hold_lock


def put_identities(layout: CohortLayout, identifiers: Mapping[str, str]) -> None:
    """Add pseudonym → identifier pairs. Call it only when the person who imports asked for it."""
    from ptacl_core.cohort.notes.notebook import note_file

    is_new = not layout.identities.exists()
    with hold_lock(layout.root / ".identities.lock", purpose="identities"):
        _rewrite(layout, {**read_all_identities(layout), **identifiers})
    if is_new:
        note_file(layout, "identities")


def read_identifiers(layout: CohortLayout, pseudonyms: Sequence[str]) -> dict[str, str]:
    """Pseudonym → identifier of those that are known; empty when none were ever kept."""
    known = read_all_identities(layout)
    return {pseudonym: known[pseudonym] for pseudonym in pseudonyms if pseudonym in known}


def remove_identities(layout: CohortLayout, pseudonyms: Sequence[str]) -> int:
    """Forget people; returns how many were known."""
    if not layout.identities.exists():
        return 0
    with hold_lock(layout.root / ".identities.lock", purpose="identities"):
        known = read_all_identities(layout)
        kept = {person: known[person] for person in known if person not in set(pseudonyms)}
        _rewrite(layout, kept)
    return len(known) - len(kept)


def read_all_identities(layout: CohortLayout) -> dict[str, str]:
    """Pseudonym → identifier of everybody; empty when none were ever kept."""
    if not layout.identities.exists():
        return {}
    with layout.identities.open("rb") as file:
        connection = connect_reader(descriptor_path(file.fileno()), label=layout.identities)
        try:
            with readable_errors(layout.identities):
                return dict(execute(connection, "SELECT patient, identifier FROM identities"))
        finally:
            connection.close()


def _rewrite(layout: CohortLayout, identifiers: Mapping[str, str]) -> None:
    try:
        with atomic_path(layout.identities, mode=0o600) as temporary:
            temporary.unlink()
            connection = connect_writer(temporary)
            try:
                with readable_errors(layout.identities):
                    execute(
                        connection, "CREATE TABLE identities (patient VARCHAR, identifier VARCHAR)"
                    )
                    execute(
                        connection,
                        "INSERT INTO identities SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[])",
                        [list(identifiers), list(identifiers.values())],
                    )
                    execute(connection, "CHECKPOINT")
            finally:
                connection.close()
    except OSError as error:
        raise CohortError(
            f"{layout.identities}: could not be written ({error.strerror or error})"
        ) from None
