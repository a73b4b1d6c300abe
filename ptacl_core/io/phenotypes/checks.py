"""Units and consistency of phenotype columns: what was converted, refused or does not add up."""

from collections import Counter
from collections.abc import Callable

import numpy as np

from ptacl_core.arrays import Array, Bool, Float64
from ptacl_core.io.phenotypes.units import kind_of
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS, Finding
from ptacl_core.records.limits import POSSIBLE_RANGES, UNKNOWN_CODES

_TOLERANCE = 0.01
_ROUNDING_ML = 0.15
_LARGEST_FRACTION = 1.5
_MIN_CODE_CELLS = 3
_MIN_FOREIGN = 5
_CODE_DISTANCE = 0.05
_SHOWN_VALUES = 3

_REPAIRS: dict[str, tuple[Callable[[float], bool], float, str]] = {
    "volume": (lambda usual: usual < 2.0, 1000.0, "looked like litres and was converted to mL"),
    "fraction": (
        lambda usual: usual <= _LARGEST_FRACTION,
        100.0,
        "looked like a fraction and was made a %",
    ),
    "flow": (lambda usual: usual > 200.0, 0.001, "looked like mL/min and was converted to L/min"),
    "mass": (lambda usual: usual < 2.0, 1000.0, "looked like kilograms and was converted to g"),
    "length": (lambda usual: usual < 3.0, 100.0, "looked like metres and was converted to cm"),
}

_FOREIGN = {
    "height_cm": (50.0, 85.0, "inches", "height_cm or height (in)"),
    "weight_kg": (130.0, 400.0, "pounds", "weight_kg or weight (lb)"),
}
"""Usual values (from, to) that are another unit's."""


def repair_units(
    values: Float64[Array, " row"], quantity: str, findings: list[Finding]
) -> Float64[Array, " row"]:
    """The column in our unit, by the size of its usual value; a conversion is a finding."""
    repair = _REPAIRS.get(kind_of(quantity))
    if repair is None:
        return values
    is_other_unit, factor, said = repair
    is_credible = _is_possible(values, quantity) | _is_possible(values * factor, quantity)
    known = values[is_credible]  # 999 for "not known" tells no unit
    if not known.size:
        return values
    is_fraction = kind_of(quantity) == "fraction"
    usual = float(np.max(known) if is_fraction else np.median(known))
    if usual <= 0 or not is_other_unit(usual):
        return _without_stray_fractions(values, quantity, findings) if is_fraction else values
    findings.append(
        Finding("unit_converted", "warning", f"{quantity}: the column {said} (× {factor:g})")
    )
    return np.where(is_credible, values * factor, values)


def refuse_foreign_units(
    values: Float64[Array, " row"], quantity: str, findings: list[Finding]
) -> Float64[Array, " row"]:
    """A column without a stated unit whose usual value is no adult's in ours: missing, and told.

    Heights around 70 are inches, weights around 180 pounds; infants and heavy people have cm and
    kg in the column's name.
    """
    if quantity not in _FOREIGN:
        return values
    smallest, largest, other, name = _FOREIGN[quantity]
    known = values[_is_possible(values, quantity)]
    if known.size < _MIN_FOREIGN or not smallest <= float(np.median(known)) <= largest:
        return values
    message = (
        f"{quantity}: a usual value of {np.median(known):g} looks like {other}: the column was not "
        f"used; name its unit, as {name}"
    )
    findings.append(Finding("unit_unclear", "warning", message))
    return np.full_like(values, np.nan)


def _is_possible(values: Float64[Array, " row"], quantity: str) -> Bool[Array, " row"]:
    smallest, largest = POSSIBLE_RANGES[quantity]
    with np.errstate(invalid="ignore"):
        return (values >= smallest) & (values <= largest)


def _without_stray_fractions(
    values: Float64[Array, " row"], quantity: str, findings: list[Finding]
) -> Float64[Array, " row"]:
    """A percent column with fractions in it: those cells are of an unknown unit, so missing."""
    with np.errstate(invalid="ignore"):
        is_stray = (values > 0) & (values <= _LARGEST_FRACTION)
    if not is_stray.any():
        return values
    message = f"{quantity}: {int(is_stray.sum())} cells look like fractions among percentages"
    findings.append(Finding("mixed_units", "warning", f"{message} and were taken as missing"))
    return np.where(is_stray, np.nan, values)


def drop_impossible(
    values: Float64[Array, " row"], quantity: str, findings: list[Finding]
) -> Float64[Array, " row"]:
    """The column with values that no living heart or body has made NaN, counted in a finding.

    So are the codes for "not known" that lie within the limits, as an age of 99: three cells or
    more, apart from everybody's values.
    """
    smallest, largest = POSSIBLE_RANGES[quantity]
    is_wrong = np.isfinite(values) & ~_is_possible(values, quantity)
    if is_wrong.any():
        limits = f"{smallest:g} to {largest:g} {PHENOTYPE_UNITS.get(quantity, '')}".rstrip()
        message = (
            f"{quantity}: {int(is_wrong.sum())} values outside {limits} were taken as missing "
            f"({_count_values(values[is_wrong])})"
        )
        findings.append(Finding("impossible_values", "warning", message))
    values = np.where(is_wrong, np.nan, values)
    is_code = _find_codes(values)
    if is_code.any():
        message = (
            f"{quantity}: {int(is_code.sum())} cells that stand apart from all other values were "
            f"taken as missing ({_count_values(values[is_code])})"
        )
        findings.append(Finding("codes_for_unknown", "warning", message))
    return np.where(is_code, np.nan, values)


def _find_codes(values: Float64[Array, " row"]) -> Bool[Array, " row"]:
    """Cells with a code for "not known" beyond everybody's values, repeated, of a minority."""
    is_known = np.isfinite(values)
    is_code = np.zeros(values.shape, dtype=bool)
    for code in reversed(UNKNOWN_CODES):
        is_this = is_known & ~is_code & (values == code)
        others = values[is_known & ~is_code & ~is_this]
        count = int(is_this.sum())
        if count >= _MIN_CODE_CELLS and others.size > count:
            is_apart = others.max() < (1 - _CODE_DISTANCE) * code
            is_code |= is_this & is_apart
    return is_code


def _count_values(values: Float64[Array, " wrong"]) -> str:
    """`999 × 12, -9 × 3, …`: the most frequent values, which tell a code from a slip."""
    frequent = Counter(values.tolist()).most_common()
    shown = [f"{value:g} × {count}" for value, count in frequent[:_SHOWN_VALUES]]
    return ", ".join(shown) + (", …" if len(frequent) > _SHOWN_VALUES else "")


def check_consistency(columns: dict[str, Float64[Array, " row"]], findings: list[Finding]) -> None:
    """SV = EDV − ESV and EF = 100 · SV / EDV within 1 %, per ventricle; rows are counted."""
    for side in ("lv", "rv"):
        names = [f"{side}edv_ml", f"{side}esv_ml", f"{side}sv_ml", f"{side}ef_pct"]
        edv, esv, sv, ef = (columns[name] for name in names)
        with np.errstate(invalid="ignore", divide="ignore"):
            is_larger = esv > edv
            stroke_off = np.abs(sv - (edv - esv)) > np.maximum(_TOLERANCE * edv, _ROUNDING_ML)
            fraction_off = np.abs(ef - 100 * (edv - esv) / edv) > 100 * _TOLERANCE
        for code, is_off, rule in (
            ("esv_above_edv", is_larger, "the end-systolic volume is the larger one"),
            ("stroke_volume_differs", stroke_off, "SV differs from EDV − ESV by more than 1 %"),
            (
                "ejection_fraction_differs",
                fraction_off,
                "EF differs from 100·SV/EDV by more than 1 %",
            ),
        ):
            if is_off.any():
                findings.append(
                    Finding(code, "warning", f"{side.upper()}: in {int(is_off.sum())} rows {rule}")
                )


def report_missing(columns: dict[str, Float64[Array, " row"]], findings: list[Finding]) -> None:
    """Name the phenotypes that no row has."""
    absent = [name for name in PHENOTYPE_NAMES if not np.isfinite(columns[name]).any()]
    if absent and len(absent) < len(PHENOTYPE_NAMES):
        findings.append(Finding("phenotypes_absent", "info", f"no row has {', '.join(absent)}"))
    elif absent:
        findings.append(
            Finding("phenotypes_absent", "warning", "no row has any of the ten phenotypes")
        )
