"""Statements of people over one open store, with the neighbours that they ask for.

Queries and searches take the open store and never the cohort: what answers a `knn` call while
the console waits for it cannot come back to the console.
"""

from typing import TYPE_CHECKING

from ptacl_core.cohort.rows import Neighbour, QueryResult
from ptacl_core.cohort.search.neighbours import find_neighbours
from ptacl_core.cohort.sql.console import Resolve
from ptacl_core.cohort.sql.statement import KnnCall

if TYPE_CHECKING:
    from ptacl_core.cohort.opened_store import OpenedStore


def run_statement(
    opened: "OpenedStore", statement: str, *, max_rows: int | None, deadline_s: float = 5.0
) -> QueryResult:
    """The rows of one checked statement. Raises QueryError."""
    return opened.console.query(
        statement, max_rows=max_rows, deadline_s=deadline_s, resolve=resolve_knn(opened)
    )


def find_keys(opened: "OpenedStore", where: str) -> frozenset[tuple[str, int]]:
    """(patient, visit) of the rows of `overview` that meet a predicate. Raises QueryError."""
    statement = f"SELECT patient, visit FROM overview WHERE ({where}\n)"  # noqa: S608 - checked
    rows = run_statement(opened, statement, max_rows=None).rows
    return frozenset((str(row[0]), int(str(row[1]))) for row in rows)


def resolve_knn(opened: "OpenedStore") -> Resolve:
    """What finds the neighbours of `knn` calls in this version of the store."""

    def resolve(call: KnnCall) -> list[Neighbour]:
        return find_neighbours(
            opened,
            call.patient,
            k=call.k,
            run=call.run,
            direction=call.direction,
            with_phenotypes=False,
        )

    return resolve
