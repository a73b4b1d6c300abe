"""Units and consistency of phenotype columns: what was converted, refused or does not add up."""

from collections.abc import Callable

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.io.phenotypes.columns import kind_of
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS, Finding

_TOLERANCE = 0.01
_ROUNDING_ML = 0.15
_LARGEST_FRACTION = 1.5

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
_POSSIBLE = {
    "volume": (1.0, 2000.0),
    "fraction": (0.0, 100.0),
    "flow": (0.1, 50.0),
    "mass": (1.0, 1500.0),
    "age": (0.0, 120.0),
    "length": (50.0, 260.0),
    "weight": (10.0, 400.0),
    "bmi": (8.0, 120.0),
}


def repair_units(
    values: Float64[Array, " row"], quantity: str, findings: list[Finding]
) -> Float64[Array, " row"]:
    """The column in our unit, by the size of its usual value; a conversion is a finding."""
    known = np.abs(values[np.isfinite(values)])
    repair = _REPAIRS.get(kind_of(quantity))
    if repair is None or not known.size:
        return values
    is_other_unit, factor, said = repair
    is_fraction = kind_of(quantity) == "fraction"
    usual = float(np.max(known) if is_fraction else np.median(known))
    if usual <= 0 or not is_other_unit(usual):
        return _without_stray_fractions(values, quantity, findings) if is_fraction else values
    findings.append(
        Finding("unit_converted", "warning", f"{quantity}: the column {said} (× {factor:g})")
    )
    return values * factor


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
    """The column with values that no living heart or body has made NaN, counted in a finding."""
    smallest, largest = _POSSIBLE[kind_of(quantity)]
    with np.errstate(invalid="ignore"):
        is_wrong = (values < smallest) | (values > largest)
    if is_wrong.any():
        findings.append(
            Finding(
                "impossible_values",
                "warning",
                f"{quantity}: {int(is_wrong.sum())} values outside {smallest:g} to {largest:g} "
                f"{PHENOTYPE_UNITS.get(quantity, '')}".rstrip()
                + " were taken as missing",
            )
        )
    return np.where(is_wrong, np.nan, values)


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
