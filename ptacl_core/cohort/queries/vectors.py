"""Typed queries about vectors that other models made of people."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.errors import CohortError

if TYPE_CHECKING:
    from ptacl_core.cohort.opened_store import OpenedStore


@dataclass(frozen=True, slots=True)
class VectorSummary:
    """A set of vectors: how many, of how many people, how long."""

    name: str
    num_vectors: int
    num_people: int
    dim: int


@dataclass(frozen=True, slots=True, eq=False)
class GivenVectors:
    """The vectors of one set, sorted by patient and visit (-1: every visit of the person)."""

    name: str
    patients: tuple[str, ...]
    visits: tuple[int, ...]
    values: Float32[Array, "vector dim"]


def list_vector_sets(opened: "OpenedStore") -> list[VectorSummary]:
    """See `Cohort.vector_sets`."""
    rows = opened.fetch(
        "SELECT name, count(*), count(DISTINCT patient), max(len(vector)) FROM vectors "
        "GROUP BY name ORDER BY name"
    )
    return [
        VectorSummary(str(name), int(n), int(people), int(dim)) for name, n, people, dim in rows
    ]


def load_vector_set(opened: "OpenedStore", name: str) -> GivenVectors:
    """See `Cohort.vectors`."""
    with opened.cursor() as cursor:
        columns = cursor.execute(
            "SELECT patient, visit, vector FROM vectors WHERE name = ? ORDER BY patient, visit",
            [name],
        ).fetchnumpy()
    patients = np.asarray(columns["patient"]).tolist()
    if not patients:
        known = ", ".join(known.name for known in list_vector_sets(opened)) or "none"
        raise CohortError(
            f"no vectors '{name[:40]}' in the cohort; there are: {known}. "
            "`ptacl vectors add COHORT FILE --name NAME` brings them in"
        )
    values = np.stack([np.asarray(vector, np.float32) for vector in columns["vector"]])
    visits = np.asarray(columns["visit"]).tolist()
    return GivenVectors(name, tuple(map(str, patients)), tuple(map(int, visits)), values)
