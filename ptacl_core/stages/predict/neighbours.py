"""Nearest patients of a patient of the cohort, or of a new ECG."""

from pathlib import Path
from typing import cast

from ptacl_core.cohort import Cohort, Direction, Neighbour
from ptacl_core.cohort.notes.readings import log_reading
from ptacl_core.errors import CohortError

NeighbourRow = dict[str, str | int | float | None]
"""Patient, rank, similarity and measured phenotypes of one neighbour."""


def run(
    cohort_dir: Path,
    query: str,
    *,
    k: int = 10,
    direction: str | None = None,
    where: str | None = None,
    run: str | None = None,
    device: str = "auto",
) -> list[NeighbourRow]:
    """Rows of (rank, patient, similarity, phenotypes), the nearest first.

    `query` is a patient, or the path of an ECG when a file of that name exists. Raises
    CohortError for an unknown patient, RecordError for a file that cannot be used.
    """
    with Cohort.open(cohort_dir) as cohort:
        if not Path(query).exists():
            log_reading(
                cohort.description, "neighbours", patient=query, run=run, direction=direction
            )
            neighbours = cohort.neighbours(
                query, k=k, run=run, direction=cast("Direction | None", direction), where=where
            )
        else:
            if direction is not None and not direction.startswith("ecg-"):
                raise CohortError(
                    f"{direction} asks from a CMR; an ECG file goes with ecg-cmr or ecg-ecg"
                )
            from ptacl_core.stages.predict.run import EcgPredictor

            predictor = EcgPredictor.of_run(cohort_dir, run, device=device)
            log_reading(cohort.description, "neighbours", **predictor.describe_use(), num_files=1)
            neighbours = cohort.neighbours(
                predictor.embed_file(Path(query)),
                k=k,
                run=predictor.run_name,
                direction=cast("Direction | None", direction),
                where=where,
            )
    return [neighbour_row(neighbour) for neighbour in neighbours]


def neighbour_row(neighbour: Neighbour) -> NeighbourRow:
    """One neighbour as the JSON documents have it."""
    return {
        "patient": neighbour.patient,
        "rank": neighbour.rank,
        "similarity": neighbour.similarity,
        **neighbour.phenotypes,
    }
