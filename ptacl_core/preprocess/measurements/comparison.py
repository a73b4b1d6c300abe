"""Three opinions on one ECG side by side: ours, neurokit2's and the device's own."""

from collections.abc import Mapping
from typing import get_args

from ptacl_core.documents.doctor import FigureSource, OpinionRow

DISAGREEMENT_LIMITS = {
    "heart_rate_bpm": 5.0,
    "pr_ms": 20.0,
    "qrs_ms": 15.0,
    "qt_ms": 25.0,
    "qtc_ms": 30.0,
    "axis_deg": 20.0,
}
"""Differences beyond which two opinions disagree. Programs that all passed the CSE data base differ
by 2 SD of 10 (P, QRS) to 30 ms (QT) among each other (Willems et al., N Engl J Med 1991;325:1767;
IEC 60601-2-25 allows SDs of 15, 10 and 30 ms for P, QRS and QT)."""

SOURCES: tuple[FigureSource, ...] = get_args(FigureSource)


def compare_opinions(
    ours: Mapping[str, float], second: Mapping[str, float] | None, device: Mapping[str, float]
) -> list[OpinionRow]:
    """A row per figure: each source's value or None, and which sources ours disagrees with.

    `second` None means that neurokit2 was not asked. Axes are compared around the circle.
    """
    opinions = {"ptacl": ours, "neurokit2": second or {}, "device": device}
    rows: list[OpinionRow] = []
    for name, limit in DISAGREEMENT_LIMITS.items():
        values = {source: opinions[source].get(name) for source in SOURCES}
        if all(value is None for value in values.values()):
            continue
        own = values["ptacl"]
        disagrees: tuple[FigureSource, ...] = tuple(
            source
            for source in SOURCES[1:]
            if own is not None
            and (value := values[source]) is not None
            and _difference(name, own, value) > limit
        )
        rows.append(
            OpinionRow(
                figure=name,
                ptacl=own,
                neurokit2=values["neurokit2"],
                device=values["device"],
                limit=limit,
                disagrees_with=disagrees,
            )
        )
    return rows


def _difference(name: str, one: float, other: float) -> float:
    difference = abs(one - other)
    return min(difference, 360.0 - difference) if name == "axis_deg" else difference
