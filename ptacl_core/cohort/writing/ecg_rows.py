# ruff: noqa: S608 - names in statements are written here, never taken from input
"""Analyses of ECGs, one row an ECG with nested columns, unfolded into the store's four tables."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ptacl_core.records import FIGURE_UNITS, LEAD_FIGURE_NAMES, LEAD_NAMES, MARK_NAMES

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

ANALYSIS_COLUMNS = (
    "patient",
    "visit",
    "ecg_marks",
    "device_marks",
    "ecg_figures",
    "device_figures",
    "ecg_lead_figures_mv",
    "ecg_statements",
    "device_statements",
)
"""Columns of an analysis: two lists of marks, two maps from figure to value, 12 × 8 amplitudes lead
by lead, statements as JSON, the device's statements as text."""

_SOURCES = (("ptacl", "ecg"), ("device", "device"))


def unfold_analyses(
    connection: "duckdb.DuckDBPyConnection", incoming: str
) -> dict[str, "pa.Table"]:
    """Rows for `ecg_marks`, `ecg_figures`, `ecg_leads` and `ecg_statements`.

    `incoming` names a registered table with `ANALYSIS_COLUMNS`.
    """
    statements = {
        "ecg_marks": _both(_marks_sql, incoming),
        "ecg_figures": _both(_figures_sql, incoming),
        "ecg_leads": _leads_sql(incoming),
        "ecg_statements": f"{_own_statements_sql(incoming)} UNION ALL "
        f"{_device_statements_sql(incoming)}",
    }
    return {name: connection.sql(sql).to_arrow_table() for name, sql in statements.items()}


def _both(make: Callable[[str, str, str], str], incoming: str) -> str:
    return " UNION ALL ".join(make(source, prefix, incoming) for source, prefix in _SOURCES)


def _marks_sql(source: str, prefix: str, incoming: str) -> str:
    columns = ", ".join(f"m.{name}" for name in ("beat", "beat_class", "r_peak", *MARK_NAMES))
    return (
        f"SELECT patient, visit, '{source}' AS source, {columns} "
        f"FROM (SELECT patient, visit, unnest({prefix}_marks) AS m FROM {incoming})"
    )


def _figures_sql(source: str, prefix: str, incoming: str) -> str:
    units = " ".join(f"WHEN '{name}' THEN '{unit}'" for name, unit in FIGURE_UNITS.items())
    return (
        f"SELECT patient, visit, '{source}' AS source, e.key AS name, e.value AS value, "
        f"CASE e.key {units} END AS unit FROM (SELECT patient, visit, "
        f"unnest(map_entries({prefix}_figures)) AS e FROM {incoming}) WHERE e.value IS NOT NULL"
    )


def _leads_sql(incoming: str) -> str:
    width = len(LEAD_FIGURE_NAMES)
    names = "[" + ", ".join(f"'{lead}'" for lead in LEAD_NAMES) + "]"
    columns = ", ".join(
        f"CASE WHEN isnan(v[l * {width} + {number + 1}]) THEN NULL "
        f"ELSE v[l * {width} + {number + 1}]::DOUBLE END AS {name}"
        for number, name in enumerate(LEAD_FIGURE_NAMES)
    )
    return (
        f"SELECT patient, visit, {names}[l + 1] AS lead, {columns} FROM (SELECT patient, visit, "
        f"ecg_lead_figures_mv AS v, unnest(range({len(LEAD_NAMES)})) AS l FROM {incoming} "
        f"WHERE len(ecg_lead_figures_mv) = {width * len(LEAD_NAMES)})"
    )


def _own_statements_sql(incoming: str) -> str:
    return (
        "SELECT patient, visit, 'ptacl' AS source, n::INTEGER AS number, "
        "json_extract_string(t[n + 1], '$.code') AS code, "
        "json_extract_string(t[n + 1], '$.text') AS text, "
        "json_extract_string(t[n + 1], '$.criterion') AS criterion, "
        "json_extract_string(t[n + 1], '$.source') AS reference FROM (SELECT patient, visit, "
        f"ecg_statements AS t, unnest(range(len(ecg_statements))) AS n FROM {incoming})"
    )


def _device_statements_sql(incoming: str) -> str:
    return (
        "SELECT patient, visit, 'device' AS source, n::INTEGER AS number, NULL AS code, "
        "t[n + 1] AS text, NULL AS criterion, NULL AS reference FROM (SELECT patient, visit, "
        "device_statements AS t, unnest(range(len(device_statements))) AS n "
        f"FROM {incoming})"
    )
