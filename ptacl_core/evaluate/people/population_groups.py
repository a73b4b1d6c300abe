"""Names of the groups of people that intervals and subgroup sheets tell apart."""

from collections.abc import Sequence

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.conformal import POOLED

AGE_BANDS = ("<55", "55-65", ">65")
"""Years; both ends belong to the middle band."""

BMI_BANDS = ("<25", "25-30", ">30")
"""kg/m²; both ends belong to the middle band."""

UNKNOWN = "unknown"


def name_bands(
    values: Float64[Array, " patient"], low: float, high: float, names: tuple[str, str, str]
) -> list[str]:
    """Below `low`, from `low` to `high`, above `high`; "unknown" where the value is absent."""
    numbers = np.asarray(values, dtype=np.float64)
    band = (numbers >= low).astype(int) + (numbers > high).astype(int)
    return [
        names[index] if np.isfinite(value) else UNKNOWN
        for index, value in zip(band.tolist(), numbers.tolist(), strict=True)
    ]


def name_age_bands(age_years: Float64[Array, " patient"]) -> list[str]:
    """`AGE_BANDS` of each person."""
    return name_bands(age_years, 55.0, 65.0, AGE_BANDS)


def name_bmi_bands(bmi_kg_m2: Float64[Array, " patient"]) -> list[str]:
    """`BMI_BANDS` of each person."""
    return name_bands(bmi_kg_m2, 25.0, 30.0, BMI_BANDS)


def name_sex_age_groups(sex: Sequence[str], age_years: Float64[Array, " patient"]) -> list[str]:
    """Sex and age band, such as "F <55"; the pooled group where either is not known."""
    return [
        POOLED if key not in ("F", "M") or band == UNKNOWN else f"{key} {band}"
        for key, band in zip(sex, name_age_bands(age_years), strict=True)
    ]
