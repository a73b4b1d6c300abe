"""Every visit's own similarity of ECG steps with CMR steps, as rows of the store."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ptacl_core.arrays import Array, Float32

if TYPE_CHECKING:
    import pyarrow as pa

    from ptacl_core.cohort.opened_store import OpenedStore

FORMER_FILE_NAME = "alignment.parquet"
"""Where the maps of a run lay before the store held them: in the run's folder."""
NUM_STEPS = 13


def build_map_table(
    run: str,
    patients: Sequence[str],
    visits: Sequence[int],
    maps: Float32[Array, "visit 13 13"],
) -> "pa.Table":
    """One row per visit: run, patient, visit, the map row by row."""
    import pyarrow as pa

    values = np.ascontiguousarray(maps, np.float32).reshape(-1)
    return pa.table(
        {
            "run": pa.array([run] * len(patients), pa.string()),
            "patient": pa.array(list(patients), pa.string()),
            "visit": pa.array(list(visits), pa.int32()),
            "similarity": pa.FixedSizeListArray.from_arrays(
                pa.array(values, pa.float32()), NUM_STEPS**2
            ),
        }
    )


def load_alignment_map(
    opened: "OpenedStore", run: str, patient: str, visit: int
) -> Float32[Array, "13 13"] | None:
    """The map of one visit; None when there is none. Raises CohortError for a damaged store."""
    rows = opened.fetch(
        "SELECT similarity FROM alignment_maps WHERE run = ? AND patient = ? AND visit = ?",
        [run, patient, visit],
    )
    if not rows or rows[0][0] is None:
        return None
    matrix = np.array(rows[0][0], np.float32).reshape(NUM_STEPS, NUM_STEPS)
    matrix.flags.writeable = False
    return matrix


def has_alignment_maps(opened: "OpenedStore", run: str) -> bool:
    """Whether the store holds a map of any visit of `run`."""
    query = "SELECT count(*) FROM alignment_maps WHERE run = ?"
    return int(opened.fetch(query, [run])[0][0]) > 0
