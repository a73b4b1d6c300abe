"""Voltage units in all spellings met in files, as millivolts."""

import math
import re
import unicodedata

from ptacl_core.errors import MissingUnitError
from ptacl_core.safety.text.printable import clean_text

_MILLIVOLTS = {
    "v": 1e3,
    "volt": 1e3,
    "volts": 1e3,
    "mv": 1.0,
    "millivolt": 1.0,
    "millivolts": 1.0,
    "μv": 1e-3,  # NFKC turns the micro sign U+00B5 into this U+03BC
    "uv": 1e-3,
    "mcv": 1e-3,
    "microvolt": 1e-3,
    "microvolts": 1e-3,
    "nv": 1e-6,
    "nanovolt": 1e-6,
    "nanovolts": 1e-6,
}
_PER_STEP = re.compile(r"(?:/|\s*per\s*)(?:lsb|bit|adu|count|step)$")
_FACTOR = re.compile(r"([0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?)\s*(.+)")

UNIT_EXAMPLES = "V, mV, uV, µV, nV or a step such as '4.88 uV'"


def find_millivolts(unit: str) -> float | None:
    """Millivolts per `unit` ("uV" → 0.001, "4.88 uV" → 0.00488), None when it is not a voltage."""
    text = unicodedata.normalize("NFKC", unit).strip().casefold()
    text = _PER_STEP.sub("", text).strip()
    factor = 1.0
    if (match := _FACTOR.fullmatch(text)) is not None:
        factor, text = float(match[1]), match[2]
    millivolts = _MILLIVOLTS.get(text)
    if millivolts is None or not 0.0 < factor < math.inf:
        return None
    return factor * millivolts


def read_millivolts(unit: str, *, name: str, where: str) -> float:
    """Millivolts per `unit` as stated at `where` in the file `name`.

    Raises MissingUnitError when the text names no voltage.
    """
    millivolts = find_millivolts(unit)
    if millivolts is None:
        raise MissingUnitError(
            f"{name}: expected a voltage unit at {where} ({UNIT_EXAMPLES}), found "
            f"{clean_text(unit, max_length=20)!r}; give unit="
        )
    return millivolts
