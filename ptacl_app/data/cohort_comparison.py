"""Two selections side by side: who is in them, how they differ, in standard deviations."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ptacl_app.data.patient_view import RunTable
from ptacl_app.text.formatting import (
    MISSING,
    PHENOTYPE_LABELS,
    format_count,
    format_number,
    format_share,
    safe,
)
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS

_LABELS = {
    "age_years": ("age", "years"),
    "heart_rate_bpm": ("heart rate", "bpm"),
    **{name: (PHENOTYPE_LABELS[name], PHENOTYPE_UNITS[name]) for name in PHENOTYPE_NAMES},
}
Fetch = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """One selection: counts, and (number, mean, SD) of each quantity where measured."""

    name: str
    num_visits: int
    num_patients: int
    share_women: float | None
    quantities: Mapping[str, tuple[int, float | None, float | None]]


def summarise_group(
    fetch: Fetch, name: str, members: Sequence[tuple[str, int]] | None
) -> GroupSummary:
    """Figures over the visits `members` (None: all) of the open store."""
    parts = ", ".join(
        f"count({phenotype_name}) FILTER (WHERE isfinite({phenotype_name})), "
        f"avg({phenotype_name}) FILTER (WHERE isfinite({phenotype_name})), "
        f"stddev_samp({phenotype_name}) FILTER (WHERE isfinite({phenotype_name}))"
        for phenotype_name in _LABELS
    )
    chosen, values = "", []
    if members is not None:
        chosen = (
            "JOIN (SELECT unnest(?::VARCHAR[]) AS patient, unnest(?::INTEGER[]) AS visit) "
            "USING (patient, visit)"
        )
        values = [[patient for patient, _ in members], [visit for _, visit in members]]
    row = fetch(
        "SELECT count(*), count(DISTINCT patient), "  # noqa: S608 - our own names
        "avg((lower(sex[1]) = 'f')::INTEGER) FILTER (WHERE sex IS NOT NULL), "
        f"{parts} FROM overview {chosen}",
        values,
    )[0]
    return GroupSummary(
        name=safe(name, max_length=24),
        num_visits=int(row[0]),
        num_patients=int(row[1]),
        share_women=row[2],
        quantities={
            phenotype_name: (int(row[start]), row[start + 1], row[start + 2])
            for phenotype_name, start in zip(_LABELS, range(3, len(row), 3), strict=True)
        },
    )


def build_comparison(first: GroupSummary, second: GroupSummary) -> RunTable:
    """Mean ± SD (number) of both, and the difference of the means in pooled SDs."""
    rows = [
        ("visits", format_count(first.num_visits), format_count(second.num_visits), ""),
        ("patients", format_count(first.num_patients), format_count(second.num_patients), ""),
        ("women", format_share(first.share_women), format_share(second.share_women), ""),
    ]
    for label_name, (label, unit) in _LABELS.items():
        one, two = first.quantities[label_name], second.quantities[label_name]
        difference = compute_standardised_difference(one[1:], two[1:])
        shown = MISSING if difference is None else f"{difference:+.2f}".replace("-", "−")
        rows.append((f"{label} {unit}", _describe(one, unit), _describe(two, unit), shown))
    headings = ("mean ± SD (n)", first.name, second.name, "differ by SD")
    return RunTable("two cohorts", headings, tuple(rows))


def compute_standardised_difference(
    first: tuple[float | None, float | None], second: tuple[float | None, float | None]
) -> float | None:
    """(mean1 - mean2) / √((sd1² + sd2²) / 2); None where an SD is missing or both are 0."""
    (mean_1, sd_1), (mean_2, sd_2) = first, second
    if mean_1 is None or mean_2 is None or sd_1 is None or sd_2 is None:
        return None
    spread = math.sqrt((sd_1**2 + sd_2**2) / 2)
    return (mean_1 - mean_2) / spread if spread > 0 else None


def _describe(quantity: tuple[int, float | None, float | None], unit: str) -> str:
    count, mean, sd = quantity
    if not count:
        return MISSING
    return f"{format_number(mean, unit=unit)} ± {format_number(sd, unit=unit)} ({count})"
