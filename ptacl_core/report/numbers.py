"""Figures of a document as text; what is not defined is a dash, never a number."""

from collections.abc import Mapping
from typing import Any

from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS

ABSENT = "–"


def short_name(phenotype: str) -> str:
    """LVEDV for lvedv_ml, "Mean" for the mean of the ten."""
    return phenotype.partition("_")[0].upper() if phenotype in PHENOTYPE_NAMES else "Mean"


def unit_of(phenotype: str) -> str:
    """Unit of a phenotype."""
    return PHENOTYPE_UNITS[phenotype]


def show(value: float | None, *, digits: int = 3, is_signed: bool = False) -> str:
    """A number with a true minus."""
    if value is None:
        return ABSENT
    rounded = round(value, digits) + 0.0
    return (
        f"{rounded:+.{digits}f}".replace("-", "−")
        if is_signed
        else (f"{rounded:.{digits}f}".replace("-", "−"))
    )


def show_interval(
    low: float | None, high: float | None, *, digits: int = 3, is_signed: bool = False
) -> str:
    """Both bounds in brackets, or nothing where one is not defined."""
    if low is None or high is None:
        return ""
    bounds = (show(bound, digits=digits, is_signed=is_signed) for bound in (low, high))
    return f"[{', '.join(bounds)}]"


def show_cell(
    cell: Mapping[str, Any], key: str = "value", *, digits: int = 3, is_signed: bool = False
) -> str:
    """A figure and, on a second line, its interval."""
    figure = show(cell.get(key), digits=digits, is_signed=is_signed)
    interval = show_interval(cell.get("low"), cell.get("high"), digits=digits, is_signed=is_signed)
    return f"{figure}\n{interval}" if interval else figure


def show_p(value: float | None) -> str:
    """A p-value with two digits."""
    if value is None:
        return ABSENT
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"


def show_percent(value: float | None, *, digits: int = 0) -> str:
    """A share as per cent."""
    return ABSENT if value is None else f"{show(100 * value, digits=digits)} %"


def show_duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever reads best."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"
