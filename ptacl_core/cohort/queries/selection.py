# ruff: noqa: S608 - a person's predicate is checked by the console that runs it
"""Cohorts by inclusion criteria, with an attrition table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ptacl_core.cohort.asking import run_statement
from ptacl_core.cohort.notes.notebook import AttritionStep, Notes, SavedCohort
from ptacl_core.errors import QueryError

if TYPE_CHECKING:
    from ptacl_core.cohort.opened_store import OpenedStore

_EVERYBODY = "all"


def count_attrition(
    opened: "OpenedStore", criteria: Sequence[tuple[str, str]]
) -> tuple[AttritionStep, ...]:
    """Rows and people left after each criterion (label, predicate). Raises QueryError."""
    steps = []
    for num_applied in range(len(criteria) + 1):
        condition = _join(criteria[:num_applied])
        statement = f"SELECT count(*), count(DISTINCT patient) FROM overview WHERE {condition}"
        row = run_statement(opened, statement, max_rows=1).rows[0]
        label, predicate = criteria[num_applied - 1] if num_applied else (_EVERYBODY, "true")
        steps.append(AttritionStep(label, predicate, int(str(row[0])), int(str(row[1]))))
    return tuple(steps)


def save_selection(
    opened: "OpenedStore", notes: Notes, name: str, criteria: Sequence[tuple[str, str]]
) -> SavedCohort:
    """See `Cohort.save_cohort`."""
    if not criteria:
        raise QueryError("expected at least one criterion (label, predicate), got none")
    steps = count_attrition(opened, criteria)
    statement = (
        f"SELECT patient, visit FROM overview WHERE {_join(criteria)} ORDER BY patient, visit"
    )
    rows = run_statement(opened, statement, max_rows=None, deadline_s=30.0).rows
    members = [(str(row[0]), int(str(row[1]))) for row in rows]
    notes.put_saved_cohort(name, steps, members, store_version=opened.version)
    return next(saved for saved in notes.saved_cohorts() if saved.name == name)


def _join(criteria: Sequence[tuple[str, str]]) -> str:
    return " AND ".join(f"({predicate}\n)" for _, predicate in criteria) or "true"
