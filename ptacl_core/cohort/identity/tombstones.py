"""People who were erased stay away: their pseudonyms are recognised by keyed hashes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ptacl_core.cohort.engine import execute
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.cohort.identity.register import WithdrawnPeople, read_register
from ptacl_core.cohort.layout import CohortDescription, CohortLayout
from ptacl_core.errors import CohortError

if TYPE_CHECKING:
    import duckdb


def find_erased(
    connection: "duckdb.DuckDBPyConnection", layout: CohortLayout, patients: Iterable[str]
) -> set[str]:
    """Those of `patients` (pseudonyms) that were erased, or are on the register.

    Raises CohortError when the key is missing, without which it cannot be told.
    """
    buried = {row[0] for row in execute(connection, "SELECT tombstone FROM tombstones")}
    description = CohortDescription.read(layout) if layout.description.exists() else None
    fingerprint = None if description is None else description.key_fingerprint
    register = read_register(layout, key_fingerprint=fingerprint)
    if not buried and register.is_empty:
        return set()
    key = open_key(layout)
    wanted = set(patients)
    erased = {patient for patient in wanted if key.tombstone(patient) in buried}
    if description is not None and description.source == "simulated":
        withdrawn = WithdrawnPeople(register, key)  # their pseudonyms are their identifiers
        erased |= {patient for patient in wanted if withdrawn.holds_identifier(patient)}
    return erased


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
