"""Figures with their bounds, as every document writes them."""

from typing import Literal

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
