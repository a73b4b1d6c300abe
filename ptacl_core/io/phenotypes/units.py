"""Units that tables name, and what turns each into ours."""

import re

_DAYS_PER_YEAR = 365.25
_FACTORS: dict[str, dict[str, float]] = {
    "volume": {"ml": 1.0, "l": 1000.0, "cm3": 1.0, "cm³": 1.0, "cc": 1.0, "dl": 100.0, "cl": 10.0},
    "fraction": {
        "%": 1.0, "pct": 1.0, "percent": 1.0, "percentage": 1.0, "prozent": 1.0,
        "fraction": 100.0, "ratio": 100.0, "0-1": 100.0, "0to1": 100.0, "0–1": 100.0,
    },
    "flow": {"l/min": 1.0, "lmin": 1.0, "lpm": 1.0, "ml/min": 0.001, "mlmin": 0.001},
    "mass": {"g": 1.0, "gram": 1.0, "grams": 1.0, "kg": 1000.0},
    "age": {
        **dict.fromkeys(("years", "year", "yrs", "yr", "y", "jahre", "ans", "años"), 1.0),
        **dict.fromkeys(("months", "month", "mo"), 1 / 12),
        **dict.fromkeys(("weeks", "week", "wk"), 7 / _DAYS_PER_YEAR),
        **dict.fromkeys(("days", "day", "d"), 1 / _DAYS_PER_YEAR),
    },
    "length": {
        "cm": 1.0, "m": 100.0, "mm": 0.1, "in": 2.54, "inch": 2.54, "inches": 2.54,
        "ft": 30.48, "feet": 30.48,
    },
    "weight": {
        "kg": 1.0, "kgs": 1.0, "g": 0.001,
        **dict.fromkeys(("lb", "lbs", "pound", "pounds"), 0.45359237),
    },
    "bmi": {"kg/m2": 1.0, "kgm2": 1.0, "kg/m²": 1.0, "kg/m^2": 1.0},
}  # fmt: skip
_KINDS = {
    "lvef_pct": "fraction",
    "rvef_pct": "fraction",
    "lvco_l_min": "flow",
    "lvm_g": "mass",
    "age_years": "age",
    "height_cm": "length",
    "weight_kg": "weight",
    "bmi_kg_m2": "bmi",
}


def find_unit_factor(quantity: str, unit: str) -> float | None:
    """What turns `unit` into ours for `quantity`, None when it is not a unit of it."""
    return _FACTORS[kind_of(quantity)].get(re.sub(r"[\s.]+", "", unit.strip().lower()))


def kind_of(quantity: str) -> str:
    """The kind of quantity (volume, fraction, flow, mass, age, length, weight, bmi)."""
    return _KINDS.get(quantity, "volume")
