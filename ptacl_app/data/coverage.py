"""How often a run's intervals hold what CMR measured, on the store's test patients. Read-only."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from ptacl_app.data.patient_view import RunTable
from ptacl_app.text.formatting import MISSING, PHENOTYPE_LABELS, format_number, format_share
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS

Z_95 = 1.959964
_QUERY = (
    "SELECT p.name, o.sex, count(*), count(*) FILTER (WHERE m.value BETWEEN p.low AND p.high), "
    "sum(p.high - p.low), max(p.coverage) "
    "FROM predictions p JOIN phenotypes m USING (patient, visit, name) "
    "JOIN overview o USING (patient, visit) "
    "WHERE p.run = ? AND o.split = 'test' AND isfinite(m.value) GROUP BY 1, 2"
)

Fetch = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]


def build_coverage_table(fetch: Fetch, run: str) -> RunTable | None:
    """Share of test visits inside the interval, by sex; None when nothing can be counted."""
    counts: dict[str, dict[str, tuple[int, int]]] = {}
    widths: dict[str, float] = {}
    promised = None
    for name, sex, count, inside, width, coverage in fetch(_QUERY, [run]):
        groups = counts.setdefault(name, {})
        for group in ("all", {"female": "F", "male": "M"}.get(str(sex).lower(), str(sex))):
            before = groups.get(group, (0, 0))
            groups[group] = (before[0] + int(count), before[1] + int(inside))
        widths[name] = widths.get(name, 0.0) + float(width)
        promised = coverage if promised is None else promised
    if not counts:
        return None
    rows = []
    for name in PHENOTYPE_NAMES:
        if name not in counts:
            continue
        groups, unit = counts[name], PHENOTYPE_UNITS[name]
        mean_width = widths[name] / groups["all"][0]
        rows.append(
            (
                PHENOTYPE_LABELS[name],
                str(groups["all"][0]),
                *(_describe(*groups.get(group, (0, 0))) for group in ("all", "F", "M")),
                f"{format_number(mean_width, unit=unit)} {unit}",
            )
        )
    goal = "the interval" if promised is None else f"the {format_share(promised)} interval"
    return RunTable(
        f"test visits inside {goal} [95 % bounds]",
        ("", "n", "all", "women", "men", "mean width"),
        tuple(rows),
    )


def compute_wilson_bounds(inside: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % bounds of a share of `count` > 0."""
    share, square = inside / count, Z_95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = (
        Z_95
        * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
        / (1 + square / count)
    )
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _describe(count: int, inside: int) -> str:
    if not count:
        return MISSING
    low, high = compute_wilson_bounds(inside, count)
    return f"{100 * inside / count:.0f} % [{100 * low:.0f} {100 * high:.0f}]"
