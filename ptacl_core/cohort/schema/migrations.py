"""How the store's schema came to be: ordered migrations, each applied once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ptacl_core.cohort.engine import execute
from ptacl_core.cohort.schema.history import (
    COHORT_TARGETS,
    ECG_ANALYSES,
    FIRST_SCHEMA,
    GIVEN_VECTORS,
    INTERVAL_GROUPS,
    KEYED_HASHES,
    PATIENT_TABLES_OF_RUNS,
    SCANNER_PHENOTYPES,
)
from ptacl_core.errors import CohortVersionError

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema, from version `version - 1`."""

    version: int
    name: str
    statements: tuple[str, ...]
    reads_keyed_hashes: bool = False
    """Its statements find plain hashes of files with their keyed ones in `keyed_hashes`."""


MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "first schema", FIRST_SCHEMA),
    Migration(2, "interval groups and z-scores of predictions", INTERVAL_GROUPS),
    Migration(3, "what runs know of single patients", PATIENT_TABLES_OF_RUNS),
    Migration(4, "marks, figures and statements of ECGs", ECG_ANALYSES),
    Migration(5, "what the scanner's own contours gave", SCANNER_PHENOTYPES),
    Migration(6, "hashes of files are keyed", KEYED_HASHES, reads_keyed_hashes=True),
    Migration(7, "the cohort's own targets", COHORT_TARGETS),
    Migration(8, "vectors that other models made", GIVEN_VECTORS),
)

SCHEMA_VERSION = MIGRATIONS[-1].version


def migrate(
    connection: "duckdb.DuckDBPyConnection",
    *,
    file: Path,
    file_hash: Callable[[str], str] | None = None,
) -> list[int]:
    """Apply the missing migrations to an open store and return their numbers.

    `file_hash` keys the SHA-256 of a file; without it (the key is not at hand) the plain hashes
    that an older store has are dropped. Raises CohortVersionError when the store is newer than
    this software.
    """
    current = read_schema_version(connection)
    if current > SCHEMA_VERSION:
        raise CohortVersionError(
            f"{file}: expected schema version {SCHEMA_VERSION} or older, got {current}; "
            "use the version of PTACL that wrote the cohort, or a newer one"
        )
    applied = []
    for migration in MIGRATIONS[current:]:
        if migration.reads_keyed_hashes:
            _list_keyed_hashes(connection, file_hash)
        execute(connection, "BEGIN TRANSACTION")
        for statement in migration.statements:
            execute(connection, statement)
        execute(connection, "DROP TABLE IF EXISTS temp.keyed_hashes")
        execute(
            connection,
            "INSERT INTO schema_version VALUES (?, ?, current_timestamp::TIMESTAMP)",
            [migration.version, migration.name],
        )
        execute(connection, "COMMIT")
        applied.append(migration.version)
    return applied


def _list_keyed_hashes(
    connection: "duckdb.DuckDBPyConnection", file_hash: Callable[[str], str] | None
) -> None:
    plain = [
        str(sha256)
        for (sha256,) in execute(
            connection,
            "SELECT file_sha256 FROM recordings UNION SELECT file_sha256 FROM predictions",
        )
        if sha256 is not None and file_hash is not None
    ]
    keyed = [] if file_hash is None else [file_hash(sha256) for sha256 in plain]
    execute(
        connection,
        "CREATE OR REPLACE TEMP TABLE keyed_hashes AS "
        "SELECT unnest($1::VARCHAR[]) AS plain, unnest($2::VARCHAR[]) AS keyed",
        [plain, keyed],
    )


def read_schema_version(connection: "duckdb.DuckDBPyConnection") -> int:
    """Number of the last migration applied; 0 for an empty database."""
    rows = execute(
        connection,
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'schema_version'"
        " AND database_name = current_catalog()",
    )
    if rows[0][0] == 0:
        return 0
    newest = execute(connection, "SELECT coalesce(max(version), 0) FROM schema_version")
    return int(newest[0][0])
