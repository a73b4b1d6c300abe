"""Rows of `ptacl reproduce` at size tiny on the pretended device, in either precision."""

from collections.abc import Sequence
from pathlib import Path

from ptacl_core.config.reproduction import load_plan, load_size, name_run
from ptacl_core.progress import SILENT
from ptacl_core.recipes.reproduce.run import Work, do_in_turn
from ptacl_core.shards import ShardReader
from ptacl_core.stages.evaluate.measure_row import RowFigures, hash_patients, load_row


def reproduce_on_device(
    cohort: Path, precision: str, rows: Sequence[str] | None = None
) -> dict[str, RowFigures]:
    """Train, embed, evaluate and measure `rows` (None: all of the plan); figures by row."""
    plan, size = load_plan(), load_size("tiny")
    runs = {key: {**size.runs.get(key, {}), "precision": precision} for key in plan.runs}
    methods = plan.choose(rows)
    with ShardReader.open(cohort) as reader:
        patients_hash = hash_patients(reader)
    work = Work(
        cohort, plan, size.model_copy(update={"runs": runs}), methods, patients_hash, "cuda", 20,
        1, SILENT,
    )  # fmt: skip
    do_in_turn(work, 1)
    return {
        method.row(modality): load_row(
            cohort, name_run("tiny", 0, method.run), method.row(modality)
        )
        for method in methods
        for modality in method.modalities
    }
