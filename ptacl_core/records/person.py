"""What is known of the person behind a new recording; nothing of it identifies them."""

import math
from dataclasses import dataclass

from ptacl_core.errors import ConfigError
from ptacl_core.records.limits import POSSIBLE_RANGES

_KEYS = {
    "sex": "sex",
    "age": "age_years",
    "age_years": "age_years",
    "height": "height_cm",
    "height_cm": "height_cm",
    "weight": "weight_kg",
    "weight_kg": "weight_kg",
}
_EXAMPLE = "sex=F,age=61,height=165,weight=70"


@dataclass(frozen=True, slots=True)
class Person:
    """Sex ("F" or "M"), age in years, height in cm, weight in kg; None where not known."""

    sex: str | None = None
    age_years: float | None = None
    height_cm: float | None = None
    weight_kg: float | None = None


def parse_person(text: str) -> Person:
    """From `sex=F,age=61,height=165,weight=70`, any part of it; cm and kg.

    Raises ConfigError that says which part is wrong.
    """
    values: dict[str, str | float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, sign, value = (piece.strip() for piece in part.partition("="))
        name = _KEYS.get(key.lower())
        if not sign or name is None:
            raise ConfigError(f"person: expected {_EXAMPLE} or a part of it, got {part!r}")
        values[name] = _read_sex(value) if name == "sex" else _read_number(name, value)
    return Person(**values)  # pyright: ignore[reportArgumentType] - names from _KEYS


def _read_sex(value: str) -> str:
    sex = {"f": "F", "female": "F", "m": "M", "male": "M"}.get(value.lower())
    if sex is None:
        raise ConfigError(f"person: sex is F or M, got {value!r}")
    return sex


def _read_number(name: str, value: str) -> float:
    low, high = POSSIBLE_RANGES[name]
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise ConfigError(f"person: {name} is a number from {low:g} to {high:g}, got {value!r}")
    return number
