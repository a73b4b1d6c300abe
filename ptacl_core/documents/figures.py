"""Figures with their bounds, as every document writes them."""

import math
from typing import Literal, SupportsFloat

from ptacl_core.documents.model import Part

Verdict = Literal[
    "separated",
    "separated on these trainings",
    "not separated",
    "reversed on these trainings",
    "reversed",
    "too few trainings",
    "not comparable",
]


SOURCE_NOTES = {
    "simulated": "Simulated patients: evidence about the code, never about hearts.",
    "files": "Measured on this cohort's held-out patients.",
}
"""What figures are worth, by the source of the cohort that they were measured on."""


def finite(value: SupportsFloat) -> float | None:
    """A number as documents carry it: null where it is not defined."""
    number = float(value)
    return number if math.isfinite(number) else None


class Bounded(Part):
    """A figure with its 95 % interval; null where it is not defined."""

    value: float | None
    low: float | None
    high: float | None


class Difference(Part):
    """A paired difference with its interval, p-value and verdict.

    `p_holm` is adjusted over the family that the verdict belongs to; `why` tells of a
    difference that cannot be judged.
    """

    difference: float | None
    low: float | None
    high: float | None
    p: float | None = None
    p_holm: float | None = None
    verdict: Verdict
    why: str | None = None
