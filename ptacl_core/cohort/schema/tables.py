"""The tables of the store: columns, keys and meaning, in one place.

Creation, bulk writing, verification, erasure and the printed documentation all read from
`TABLES`; a change of a table is a migration in `migrations.py` as well.
"""

from ptacl_core.cohort.schema.columns import (
    MODALITY,
    PATIENT,
    RUN,
    VISIT,
    Column,
    Table,
    describe_column,
)
from ptacl_core.cohort.schema.recording_tables import RECORDING_TABLES
from ptacl_core.cohort.schema.result_tables import RESULT_TABLES

TABLES: tuple[Table, ...] = (*RECORDING_TABLES, *RESULT_TABLES)

TABLE_BY_NAME = {table.name: table for table in TABLES}

INTERNAL_TABLES = frozenset({"schema_version", "store_version", "tombstones", "embedding_sets"})
"""Tables that only the writer itself fills."""


def embedding_table(dim: int) -> Table:
    """The table that holds vectors of width `dim`."""
    return Table(
        f"embeddings_{dim}",
        f"Embeddings of width {dim}.",
        (
            *(describe_column(*column) for column in (RUN, MODALITY)),
            Column("space", "VARCHAR", "pooled or projected", True),
            *(describe_column(*column) for column in (PATIENT, VISIT)),
            Column("position", "INTEGER", "row of the vector in its set, from 0", True),
            Column("vector", f"FLOAT[{dim}]", "the embedding", True),
        ),
        ("run", "modality", "space", "patient", "visit"),
    )
