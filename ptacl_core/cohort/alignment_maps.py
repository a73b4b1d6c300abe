"""`alignment.parquet` of a run: every visit's own similarity of ECG steps with CMR steps."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.errors import CohortError
from ptacl_core.safety.files.atomic import atomic_path

FILE_NAME = "alignment.parquet"
NUM_STEPS = 13
ROWS_PER_GROUP = 512
"""Rows that are read together: one visit costs a third of a megabyte, whatever the cohort."""


def write_alignment_maps(
    path: Path,
    patients: Sequence[str],
    visits: Sequence[int],
    maps: Float32[Array, "visit 13 13"],
) -> None:
    """Write one row per visit: patient, visit, the map row by row. Raises OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "patient": pa.array(list(patients), pa.string()),
            "visit": pa.array(list(visits), pa.int32()),
            "similarity": pa.array(
                list(maps.reshape(len(maps), NUM_STEPS**2).astype(np.float32)),
                pa.list_(pa.float32()),
            ),
        }
    )
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, row_group_size=ROWS_PER_GROUP)


def read_alignment_map(path: Path, patient: str, visit: int) -> Float32[Array, "13 13"] | None:
    """The map of one visit; None when the file, or the visit in it, is not there.

    Only the names and the one block of rows that holds the visit are read.
    Raises CohortError when the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return None
    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                keys = file.read_row_group(group, columns=["patient", "visit"])
                names, visits = (keys.column(name).to_pylist() for name in ("patient", "visit"))
                rows = zip(names, visits, strict=True)
                found = next((at for at, row in enumerate(rows) if row == (patient, visit)), None)
                if found is not None:
                    values = file.read_row_group(group, columns=["similarity"]).column(0)
                    return _as_map(values[found].as_py())
    except (pa.ArrowException, OSError, KeyError, ValueError):
        raise CohortError(
            f"{path.parent.name}/{path.name} is damaged; `ptacl embed COHORT --run "
            f"{path.parent.name}` writes it anew"
        ) from None
    return None


def _as_map(values: Sequence[float]) -> Float32[Array, "13 13"]:
    found = np.array(values, np.float32)
    if found.size != NUM_STEPS**2:
        raise ValueError(f"expected {NUM_STEPS} x {NUM_STEPS} numbers, got {found.size}")
    found = found.reshape(NUM_STEPS, NUM_STEPS)
    found.flags.writeable = False
    return found
