"""People who were erased stay away: their pseudonyms are recognised by keyed hashes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ptacl_core.cohort.engine import execute
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.errors import CohortError

if TYPE_CHECKING:
    import duckdb


def find_erased(
    connection: "duckdb.DuckDBPyConnection", layout: CohortLayout, patients: Iterable[str]
) -> set[str]:
    """Those of `patients` that were erased. Raises CohortError when the key is missing."""
    rows = execute(connection, "SELECT tombstone FROM tombstones")
    if not rows:
        return set()
    key = open_key(layout)
    buried = {row[0] for row in rows}
    return {patient for patient in patients if key.tombstone(patient) in buried}


def refuse_erased(
    connection: "duckdb.DuckDBPyConnection", layout: CohortLayout, patients: Iterable[str]
) -> None:
    """Raise CohortError when any of `patients` was erased."""
    num_erased = len(find_erased(connection, layout, patients))
    if num_erased:
        raise CohortError(
            f"{num_erased} of these people were erased from this cohort and may not come back; "
            "leave them out (CohortWriter.find_erased tells which)"
        )
