# ruff: noqa: S608 - names in statements come from tables.py and records, never from input
"""Ready answers to common questions: the table `overview` and the views of the store.

All are derived: the views are made again at every publication, the table where what it is made
from, or how, has changed.
"""

import hashlib
from collections.abc import Set
from typing import TYPE_CHECKING

from ptacl_core.cohort.engine import execute
from ptacl_core.records.phenotypes import PHENOTYPE_NAMES

if TYPE_CHECKING:
    import duckdb

_PHENOTYPE_COLUMNS = ", ".join(
    f"any_value(value) FILTER (WHERE name = '{name}') AS {name}" for name in PHENOTYPE_NAMES
)
_PHENOTYPE_LIST = ", ".join(f"p.{name}" for name in PHENOTYPE_NAMES)

OVERVIEW_SQL = f"""
CREATE OR REPLACE TABLE overview AS
WITH wide AS (
    SELECT patient, visit, {_PHENOTYPE_COLUMNS} FROM phenotypes GROUP BY patient, visit
), every AS (
    SELECT patient, visit FROM visits
    UNION SELECT patient, visit FROM recordings
    UNION SELECT patient, visit FROM phenotypes
    UNION SELECT patient, 0 FROM patients
        WHERE patient NOT IN (SELECT patient FROM visits)
        AND patient NOT IN (SELECT patient FROM recordings)
        AND patient NOT IN (SELECT patient FROM phenotypes)
), newest_split AS (
    SELECT patient, arg_max(split, assigned_at) AS split FROM splits GROUP BY patient
)
SELECT e.patient, e.visit, s.sex, coalesce(v.age_years, s.age_years) AS age_years,
    coalesce(v.height_cm, s.height_cm) AS height_cm,
    coalesce(v.weight_kg, s.weight_kg) AS weight_kg, s.bmi_kg_m2, s.bsa_m2, n.split,
    coalesce(ecg.is_accepted, false) AS has_ecg, coalesce(cmr.is_accepted, false) AS has_cmr,
    ecg.quality AS ecg_quality, cmr.quality AS cmr_quality,
    coalesce(len(ecg.findings), 0) + coalesce(len(cmr.findings), 0) AS num_findings,
    ecg.heart_rate_bpm, ecg.pr_ms, ecg.qrs_ms, ecg.qt_ms, ecg.qtc_ms, ecg.axis_deg,
    {_PHENOTYPE_LIST}
FROM every e
LEFT JOIN patients s USING (patient)
LEFT JOIN visits v ON v.patient = e.patient AND v.visit = e.visit
LEFT JOIN newest_split n ON n.patient = e.patient
LEFT JOIN recordings ecg
    ON ecg.patient = e.patient AND ecg.visit = e.visit AND ecg.modality = 'ecg'
LEFT JOIN recordings cmr
    ON cmr.patient = e.patient AND cmr.visit = e.visit AND cmr.modality = 'cmr'
LEFT JOIN wide p ON p.patient = e.patient AND p.visit = e.visit
ORDER BY e.patient, e.visit
"""

OVERVIEW_SOURCES = frozenset({"patients", "visits", "recordings", "phenotypes", "splits"})
"""Tables that `overview` is made from."""

_OVERVIEW_MARK = f"made by {hashlib.sha256(OVERVIEW_SQL.encode()).hexdigest()[:16]}"
"""Stands as the comment of the table: one that an older version made is made again."""

OVERVIEW_MEANING = (
    "One row per person and visit: demographics, split, what recordings there are, clinical "
    "measurements of the ECG, measured phenotypes."
)

VIEWS: dict[str, tuple[str, str]] = {
    "findings": (
        "One row per remark about a recording.",
        """SELECT patient, visit, modality, f.code, f.severity, f.message, f.leads
           FROM (SELECT patient, visit, modality, unnest(findings) AS f FROM recordings)""",
    ),
    "latest_run": (
        "The run with the newest embeddings or predictions: what neighbours and screens use. "
        "Never a negative control, nor one whose alignment has not learned.",
        """SELECT r.* FROM runs r
           WHERE run IN (SELECT run FROM embedding_sets UNION SELECT run FROM predictions)
           AND run NOT IN (
               SELECT e.run FROM evaluation_results e JOIN runs k USING (run)
               WHERE section = 'health'
               AND ((variant = CASE WHEN k.kind IN ('ecg', 'finetune-ecg') THEN k.kind
                       ELSE 'align' END AND metric = 'learned' AND value = 0)
                   OR (variant = 'align' AND metric = 'is_control' AND value = 1)))
           ORDER BY created_at DESC, run DESC LIMIT 1""",
    ),
    "prediction_errors": (
        "Predicted beside measured values, where both exist.",
        """SELECT p.run, p.patient, p.visit, p.name, p.value AS predicted, p.low, p.high,
               m.value AS measured, p.value - m.value AS error, p.unit,
               m.value BETWEEN p.low AND p.high AS is_covered
           FROM predictions p JOIN phenotypes m USING (patient, visit, name)""",
    ),
    "prediction_provenance": (
        "From every prediction to the file it was read from, the weights and the settings.",
        """SELECT p.run, p.patient, p.visit, p.name, p.value, p.low, p.high, p.unit,
               coalesce(p.file_hash, e.file_hash) AS file_hash, e.format AS file_format,
               s.shard, s."row" AS shard_row,
               coalesce(p.preprocessing_hash, e.preprocessing_hash) AS preprocessing_hash,
               g.settings_json AS preprocessing_settings_json,
               coalesce(p.checkpoint_sha256, r.checkpoint_sha256) AS checkpoint_sha256,
               r.kind AS run_kind, r.config_json AS run_config_json, r.data_sha256,
               r.code_version, r.split_name, t.split, p.created_at
           FROM predictions p
           LEFT JOIN runs r USING (run)
           LEFT JOIN recordings e
               ON e.patient = p.patient AND e.visit = p.visit AND e.modality = 'ecg'
           LEFT JOIN shards s
               ON s.patient = p.patient AND s.visit = p.visit AND s.modality = 'ecg'
           LEFT JOIN preprocessing g
               ON g.hash = coalesce(p.preprocessing_hash, e.preprocessing_hash)
           LEFT JOIN splits t ON t.split_name = r.split_name AND t.patient = p.patient""",
    ),
    "regression_results": (
        "Table 2 of every run: R² per phenotype and modality with intervals.",
        """SELECT run, variant, modality, phenotype, value AS r2, low, high
           FROM evaluation_results WHERE section = 'regression' AND metric = 'r2'""",
    ),
    "retrieval_results": (
        "Table 1 of every run: precision at k and ranks per phenotype.",
        """SELECT run, variant AS self, phenotype, metric, value, low, high
           FROM evaluation_results WHERE section = 'retrieval'""",
    ),
    "split_counts": (
        "How many people each split has.",
        """SELECT split_name, split, count(*) AS num_patients
           FROM splits GROUP BY split_name, split""",
    ),
    "rejection_reasons": (
        "Why recordings were rejected, with counts.",
        """SELECT modality, code, count(*) AS num_recordings
           FROM findings WHERE severity = 'reject' GROUP BY modality, code""",
    ),
}


def build_derived(
    connection: "duckdb.DuckDBPyConnection", *, changed: Set[str] | None = None
) -> None:
    """Make the views anew, and `overview` where one of the `changed` tables feeds it.

    `changed` None: whatever has changed. A table `overview` that is missing, or was made by another
    statement, is made in any case.
    """
    is_new = changed is None or bool(changed & OVERVIEW_SOURCES)
    if is_new or _read_overview_mark(connection) != _OVERVIEW_MARK:
        execute(connection, OVERVIEW_SQL)
        execute(connection, f"COMMENT ON TABLE overview IS '{_OVERVIEW_MARK}'")
    for name, (_, query) in VIEWS.items():
        execute(connection, f"CREATE OR REPLACE VIEW {name} AS {query}")


def _read_overview_mark(connection: "duckdb.DuckDBPyConnection") -> str | None:
    rows = execute(
        connection,
        "SELECT comment FROM duckdb_tables() WHERE table_name = 'overview' "
        "AND database_name = current_catalog()",
    )
    return rows[0][0] if rows else None
