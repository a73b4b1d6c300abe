"""How the steps of each test patient were aligned, kept so that several trainings can be compared.

features/<run>/steps/alignment.safetensors   rows of the manifest, and a figure per patient; a
                                             cache that an erasure removes whole
"""

from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.cohort import CohortLayout
from ptacl_core.embedding.feature_cache import hold_unchanged
from ptacl_core.embedding.patients import EvaluationSplit
from ptacl_core.errors import CohortError
from ptacl_core.shards import ShardReader
from ptacl_core.stages.evaluate.measure_row import (
    RowName,
    has_row,
    hash_patients,
    read_row,
    write_row,
)
from ptacl_core.stages.evaluate.steps.alignment import StepOutcomes

FIGURES = ("top1", "within1", "centred_top1", "others_behind")
"""Per patient: share of steps that find their cine step, within one step, without the template;
and the share of other people's cines that lie behind the own one (chance ½)."""
FOLDER, NAME = "steps", "alignment"


def list_outcomes(
    outcomes: StepOutcomes, person: Int64[Array, " patient"]
) -> Float64[Array, "patient figure"]:
    """`FIGURES` of every patient; NaN of all of them where steps cannot be compared."""
    figures = np.full((len(person), len(FIGURES)), np.nan)
    measures, centred, ranks = outcomes.measures, outcomes.centred_top1, outcomes.own_rank
    if measures is None or centred is None or ranks is None:
        return figures
    owner = person[outcomes.patients]
    others = (owner[:, None] != owner).sum(axis=1)
    behind = 1.0 - (ranks - 1) / np.maximum(others, 1)
    figures[outcomes.patients] = np.stack(
        [measures.top1, measures.within1, centred, behind], axis=1
    )
    return figures


def keep_outcomes(
    cohort_dir: Path,
    run: str,
    reader: ShardReader,
    test: EvaluationSplit,
    figures: Float64[Array, "patient figure"],
) -> None:
    """Put them into the cohort's cache. Raises CohortError when the cohort has changed."""
    document: RowName = {"row": NAME, "run": run, "patients_hash": hash_patients(reader)}
    with hold_unchanged(CohortLayout(cohort_dir), reader) as is_unchanged:
        if not is_unchanged:
            raise CohortError(f"run {run}: the cohort changed while it was evaluated; try again")
        arrays = {"rows": test.rows, "outcomes": figures}
        write_row(cohort_dir, document, arrays, folder=FOLDER)


def has_outcomes(cohort_dir: Path, run: str) -> bool:
    """Whether a run's outcomes are there."""
    return has_row(cohort_dir, run, NAME, folder=FOLDER)


def load_outcomes(cohort_dir: Path, run: str) -> Float64[Array, "patient figure"]:
    """Outcomes of the test patients, in the order of the manifest. Raises CohortError."""
    document, arrays = read_row(cohort_dir, run, NAME, folder=FOLDER)
    with ShardReader.open(cohort_dir) as reader:
        if document["patients_hash"] != hash_patients(reader):
            raise CohortError(f"run {run}: its alignment is of other patients; evaluate it again")
    return arrays["outcomes"]
