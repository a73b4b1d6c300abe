# ruff: noqa: S608 - names in statements come from tables.py
"""What must hold between the rows of a store."""

from typing import TYPE_CHECKING

from ptacl_core.cohort.embedding_rows import EmbeddingKey, read_vectors
from ptacl_core.cohort.health.defects import Defect
from ptacl_core.cohort.schema.tables import TABLES, embedding_table
from ptacl_core.cohort.schema.views import VIEWS
from ptacl_core.cohort.search.vectors import check_vectors, compute_fingerprint
from ptacl_core.errors import CohortError

if TYPE_CHECKING:
    from ptacl_core.cohort.opened_store import OpenedStore

_COUNTS: tuple[tuple[str, str, str], ...] = (
    (
        "unknown_run",
        "predictions",
        "SELECT count(*) FROM predictions WHERE run NOT IN (SELECT run FROM runs)",
    ),
    (
        "unknown_run",
        "embedding_sets",
        "SELECT count(*) FROM embedding_sets WHERE run NOT IN (SELECT run FROM runs)",
    ),
    (
        "unknown_settings",
        "recordings",
        "SELECT count(*) FROM recordings WHERE preprocessing_hash NOT IN "
        "(SELECT hash FROM preprocessing)",
    ),
    (
        "interval",
        "predictions",
        "SELECT count(*) FROM predictions WHERE NOT (low <= value AND value <= high)",
    ),
    (
        "unknown_target",
        "target_values",
        "SELECT count(*) FROM target_values WHERE name NOT IN (SELECT name FROM targets)",
    ),
    (
        "split",
        "splits",
        "SELECT count(*) FROM (SELECT 1 FROM splits GROUP BY split_name, patient "
        "HAVING count(DISTINCT split) > 1)",
    ),
    (
        "unknown_recording",
        "shards",
        "SELECT count(*) FROM shards s WHERE NOT EXISTS (SELECT 1 FROM recordings r WHERE "
        "r.patient = s.patient AND r.visit = s.visit AND r.modality = s.modality)",
    ),
    (
        "doubled_array",
        "shards",
        'SELECT count(*) FROM (SELECT 1 FROM shards GROUP BY modality, shard, "row" '
        "HAVING count(*) > 1)",
    ),
)

NUM_CHECKS = len(TABLES) + len(_COUNTS) + 4


def check_rows(opened: "OpenedStore") -> list[Defect]:
    """Defects of the rows of an open store. Raises CohortError when it cannot be read."""
    defects = _check_tables(opened)
    if defects:
        return defects
    defects.extend(_check_keys(opened))
    for code, place, query in _COUNTS:
        num_rows = int(opened.fetch(query)[0][0])
        if num_rows:
            defects.append(Defect(code, place, f"{num_rows} rows"))
    defects.extend(_check_shard_files(opened))
    defects.extend(_check_embeddings(opened))
    return defects


def _check_tables(opened: "OpenedStore") -> list[Defect]:
    """Tables and views are there, with their columns."""
    rows = opened.fetch(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = 'store'"
    )
    known: dict[str, set[str]] = {}
    for table, column in rows:
        known.setdefault(table, set()).add(column)
    defects = [
        Defect("table", table.name, "the table or some of its columns are missing")
        for table in TABLES
        if not set(table.column_names) <= known.get(table.name, set())
    ]
    defects.extend(
        Defect("derived", name, "the view is missing", is_repairable=True)
        for name in ("overview", *VIEWS)
        if name not in known
    )
    return defects


def _check_keys(opened: "OpenedStore") -> list[Defect]:
    """No key comes twice."""
    dims = opened.fetch("SELECT DISTINCT dim FROM embedding_sets")
    tables = [*TABLES, *(embedding_table(int(dim)) for (dim,) in dims)]
    defects = []
    for table in tables:
        keys = ", ".join(table.key)
        query = (
            f"SELECT count(*) FROM (SELECT 1 FROM {table.name} GROUP BY {keys} HAVING count(*) > 1)"
        )
        num_doubled = int(opened.fetch(query)[0][0])
        if num_doubled:
            message = f"{num_doubled} keys ({keys}) come more than once"
            defects.append(Defect("doubled_key", table.name, message))
    return defects


def _check_shard_files(opened: "OpenedStore") -> list[Defect]:
    """The shards that rows point to are there."""
    names = [str(row[0]) for row in opened.fetch("SELECT DISTINCT shard FROM shards ORDER BY 1")]
    folder = opened.layout.shards
    return [
        Defect("shard_missing", f"shards/{name}", "rows of the store point to it; it is not there")
        for name in names
        if not (folder / name).exists()
    ]


def _check_embeddings(opened: "OpenedStore") -> list[Defect]:
    """Every set is complete, usable, and the one that was written."""
    defects = []
    sets = opened.fetch("SELECT run, modality, space, fingerprint FROM embedding_sets")
    for run, modality, space, fingerprint in sets:
        place = f"embeddings of {modality} ({space})"
        try:
            with opened.cursor() as cursor:
                keys, vectors = read_vectors(cursor, EmbeddingKey(run, modality, space))
            check_vectors(vectors, where=place)
        except CohortError as error:
            defects.append(Defect("embeddings", place, str(error)))
            continue
        computed = compute_fingerprint([key[0] for key in keys], [key[1] for key in keys], vectors)
        if computed != fingerprint:
            message = "the vectors are not those that were written"
            defects.append(Defect("embeddings", place, message))
    return defects
