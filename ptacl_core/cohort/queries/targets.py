"""Typed queries about the cohort's own targets and their measured values."""

from typing import TYPE_CHECKING

from ptacl_core.cohort.rows import TargetValue
from ptacl_core.records.targets import Target, as_kind

if TYPE_CHECKING:
    from ptacl_core.cohort.opened_store import OpenedStore


def list_targets(opened: "OpenedStore") -> tuple[Target, ...]:
    """See `Cohort.targets`."""
    rows = opened.fetch(
        "SELECT name, kind, unit, title, low, high, rule, reference FROM targets "
        "ORDER BY position, name"
    )
    return tuple(
        Target(
            str(name), as_kind(str(kind)), str(unit), str(title), low, high, str(rule), str(text)
        )
        for name, kind, unit, title, low, high, rule, text in rows
    )


def list_target_values(
    opened: "OpenedStore", *, name: str | None = None, patient: str | None = None
) -> list[TargetValue]:
    """See `Cohort.target_values`."""
    rows = opened.fetch(
        "SELECT patient, visit, name, value, days_apart FROM target_values "
        "WHERE (?::VARCHAR IS NULL OR name = ?) AND (?::VARCHAR IS NULL OR patient = ?) "
        "ORDER BY patient, visit, name",
        [name, name, patient, patient],
    )
    return [TargetValue(*row) for row in rows]
