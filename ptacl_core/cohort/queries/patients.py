# ruff: noqa: S608 - names in statements come from tables.py and records, never from input
"""Typed queries about people: who they are, what was recorded and measured."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ptacl_core.cohort.asking import run_statement
from ptacl_core.cohort.rows import Phenotype, Recording, ShardRow, SqlRow
from ptacl_core.errors import CohortError, QueryError
from ptacl_core.records.finding import Finding
from ptacl_core.records.phenotypes import PHENOTYPE_NAMES

if TYPE_CHECKING:
    from ptacl_core.cohort.opened_store import OpenedStore


def list_patients(
    opened: "OpenedStore",
    filter_sql: str | None,
    order_by: str | None,
    limit: int | None,
    offset: int,
) -> list[SqlRow]:
    """See `Cohort.patients`."""
    query = f"SELECT * FROM overview{_where(filter_sql)} ORDER BY {_order(opened, order_by)}"
    if limit is not None:
        query += f" LIMIT {int(limit)}"
    if offset:
        query += f" OFFSET {int(offset)}"
    if filter_sql is None:
        return opened.fetch_dicts(query)
    result = run_statement(opened, query, max_rows=limit)
    return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


def count_patients(opened: "OpenedStore", filter_sql: str | None) -> int:
    """See `Cohort.count`."""
    query = f"SELECT count(*) FROM overview{_where(filter_sql)}"
    if filter_sql is None:
        return int(opened.fetch(query)[0][0])
    return int(str(run_statement(opened, query, max_rows=1).rows[0][0]))


def find_patient(opened: "OpenedStore", patient: str, visit: int | None) -> SqlRow:
    """See `Cohort.patient`."""
    rows = opened.fetch_dicts(
        "SELECT * FROM overview WHERE patient = ? AND (?::INTEGER IS NULL OR visit = ?) "
        "ORDER BY visit LIMIT 1",
        [patient, visit, visit],
    )
    if not rows:
        raise CohortError(
            "no such patient (or visit) in this cohort; 'ptacl query COHORT \"SELECT patient, "
            "visit FROM overview\"' lists them"
        )
    return rows[0]


def list_recordings(opened: "OpenedStore", patient: str) -> list[Recording]:
    """See `Cohort.recordings`."""
    rows = opened.fetch_dicts(
        "SELECT * FROM recordings WHERE patient = ? ORDER BY visit, modality DESC", [patient]
    )
    for row in rows:
        row["is_accepted"] = bool(row["is_accepted"])
        row["findings"] = tuple(_finding(finding) for finding in row["findings"] or ())
        for name in ("spacing_mm", "centre_px"):
            row[name] = tuple(row[name]) if row[name] is not None else None
    return [Recording(**row) for row in rows]


def list_phenotypes(opened: "OpenedStore", patient: str) -> list[Phenotype]:
    """See `Cohort.phenotypes`."""
    rows = opened.fetch(
        "SELECT visit, name, value, unit, source, convention FROM phenotypes "
        "WHERE patient = ? AND value IS NOT NULL",
        [patient],
    )
    phenotypes = [Phenotype(*row) for row in rows]
    return sorted(
        phenotypes, key=lambda phenotype: (phenotype.visit, phenotype_order(phenotype.name))
    )


def list_shard_rows(
    opened: "OpenedStore", modality: str, patients: Sequence[str] | None
) -> list[ShardRow]:
    """See `Cohort.shard_rows`."""
    rows = opened.fetch(
        'SELECT patient, visit, modality, shard, "row" FROM shards '
        "WHERE modality = ? AND (?::VARCHAR[] IS NULL OR list_contains(?::VARCHAR[], patient)) "
        "ORDER BY patient, visit",
        [modality, *([list(patients) if patients is not None else None] * 2)],
    )
    return [ShardRow(*row) for row in rows]


def phenotype_order(name: str) -> tuple[int, str]:
    """Sort key: the ten phenotypes in their order, others by name after them."""
    known = name in PHENOTYPE_NAMES
    return (PHENOTYPE_NAMES.index(name) if known else len(PHENOTYPE_NAMES), name)


def _where(filter_sql: str | None) -> str:
    return "" if filter_sql is None else f" WHERE ({filter_sql}\n)"


def _order(opened: "OpenedStore", order_by: str | None) -> str:
    if order_by is None:
        return "patient, visit"
    match = re.fullmatch(r"\s*(\w+)(?:\s+(asc|desc))?\s*", order_by, re.IGNORECASE)
    columns = [row[0] for row in opened.fetch("DESCRIBE overview")]
    if match is None or match[1] not in columns:
        raise QueryError(
            f"order: expected one of {', '.join(columns)}, with ' DESC' for descending, "
            f"got {order_by!r}"
        )
    return f'"{match[1]}" {(match[2] or "asc").upper()} NULLS LAST, patient, visit'


def _finding(row: SqlRow) -> Finding:
    return Finding(row["code"], row["severity"], row["message"], tuple(row["leads"] or ()))
