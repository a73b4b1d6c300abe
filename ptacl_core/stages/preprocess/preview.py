"""A contact sheet of the crops that a cohort's shards hold, to check them at a glance."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ptacl_core.preprocess.contact_sheet import draw_contact_sheet
from ptacl_core.records import PreparedCine
from ptacl_core.shards import ShardReader

MAX_CINES = 48


def draw_preview(cohort_dir: Path, path: Path, *, is_wanted: Callable[[str], bool]) -> int:
    """Write a PNG of up to `MAX_CINES` cines, spread evenly over the patients that are wanted.

    Drawn from what is stored, so that a call that resumes or has nothing left to do shows the
    same picture. Returns how many cines were drawn; without any there is no picture. Raises
    ShardError, OSError.
    """
    with ShardReader.open(cohort_dir) as reader:
        rows = reader.rows(needs=("cmr",))
        rows = rows[[is_wanted(reader.patients[row]) for row in rows]]
        if rows.size == 0:
            return 0
        count = min(MAX_CINES, rows.size)
        rows = rows[np.arange(count) * rows.size // count]
        slices = reader.column("slice_index", rows)
        frames = reader.read_cine(rows)
        prepared = [
            PreparedCine(
                frames=cine,
                slice_index=int(slice_index),
                centre_px=(0.0, 0.0),
            )
            for cine, slice_index in zip(frames, slices, strict=True)
        ]
        draw_contact_sheet(prepared, [reader.patients[row] for row in rows], path)
    return count
