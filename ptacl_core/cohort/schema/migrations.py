"""How the store's schema came to be: ordered migrations, each applied once."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ptacl_core.cohort.engine import execute
from ptacl_core.cohort.schema.history import (
    ECG_ANALYSES,
    FIRST_SCHEMA,
    INTERVAL_GROUPS,
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


MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "first schema", FIRST_SCHEMA),
    Migration(2, "interval groups and z-scores of predictions", INTERVAL_GROUPS),
    Migration(3, "what runs know of single patients", PATIENT_TABLES_OF_RUNS),
    Migration(4, "marks, figures and statements of ECGs", ECG_ANALYSES),
    Migration(5, "what the scanner's own contours gave", SCANNER_PHENOTYPES),
)

SCHEMA_VERSION = MIGRATIONS[-1].version


def migrate(connection: "duckdb.DuckDBPyConnection", *, file: Path) -> list[int]:
    """Apply the missing migrations to an open store and return their numbers.

    Raises CohortVersionError when the store is newer than this software.
    """
    current = read_schema_version(connection)
    if current > SCHEMA_VERSION:
        raise CohortVersionError(
            f"{file}: expected schema version {SCHEMA_VERSION} or older, got {current}; "
            "use the version of PTACL that wrote the cohort, or a newer one"
        )
    applied = []
    for migration in MIGRATIONS[current:]:
        execute(connection, "BEGIN TRANSACTION")
        for statement in migration.statements:
            execute(connection, statement)
        execute(
            connection,
            "INSERT INTO schema_version VALUES (?, ?, current_timestamp::TIMESTAMP)",
            [migration.version, migration.name],
        )
        execute(connection, "COMMIT")
        applied.append(migration.version)
    return applied


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
