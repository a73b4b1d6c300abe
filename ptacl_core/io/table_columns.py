"""What the columns of an ECG table mean: leads with units, a time axis, long form."""

import re
from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import UnsupportedFormatError
from ptacl_core.io.leads import find_lead
from ptacl_core.io.voltage import find_millivolts

_UNIT_IN_NAME = re.compile(r"(.+?)\s*[(\[/]\s*([^)\]]+?)\s*[)\]]?")
_UNIT_AFTER = re.compile(r"(.+)[_\s](\S+)")
_TIME_NAMES = {"time", "t", "zeit", "temps", "tiempo", "tempo", "seconds", "milliseconds"}
SECONDS_PER_UNIT = {
    "s": 1.0,
    "sec": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "msec": 1e-3,
    "milliseconds": 1e-3,
    "us": 1e-6,
    "μs": 1e-6,
    "µs": 1e-6,
}
_LEAD_COLUMN_NAMES = {"lead", "leads", "lead_name", "leadname", "channel", "channel_name"}
_VALUE_COLUMN_NAMES = {"value", "voltage", "amplitude", "signal", "signal_mv", "signal_uv"}
_MAX_JITTER_STEPS = 0.6


@dataclass(frozen=True, slots=True)
class LeadColumn:
    """Column `index` of a table: the lead, and the unit if its name holds one."""

    index: int
    lead: str
    unit: str | None


def find_lead_columns(names: list[str]) -> list[LeadColumn]:
    """Columns whose names are leads: "aVR", "I (mV)", "V1 [uV]", "lead_II_mV"."""
    found: list[LeadColumn] = []
    for index, name in enumerate(names):
        base, unit = split_unit(name)
        lead = find_lead(name)
        if lead is not None:
            found.append(LeadColumn(index, lead, None))
        elif unit is not None and (lead := find_lead(base)) is not None:
            found.append(LeadColumn(index, lead, unit))
    return found


def split_unit(name: str) -> tuple[str, str | None]:
    """A column name and the voltage unit written after it, if any."""
    for pattern in (_UNIT_IN_NAME, _UNIT_AFTER):
        match = pattern.fullmatch(name.strip())
        if match is not None and find_millivolts(match[2]) is not None:
            return match[1], match[2]
    return name, None


def find_time_column(names: list[str]) -> tuple[int, float] | None:
    """The time column and its unit in seconds ("time (s)", "t_ms"); None without a unit."""
    for index, name in enumerate(names):
        words = [word for word in re.split(r"[\s_()\[\]/,]+", name.strip().casefold()) if word]
        if not words or not _TIME_NAMES.intersection(words[:2]):
            continue
        for word in reversed(words):
            if word in SECONDS_PER_UNIT:
                return index, SECONDS_PER_UNIT[word]
    return None


def find_long_columns(names: list[str]) -> tuple[int, int, str | None] | None:
    """Indices of the lead and the value column of a table in long form, and the unit if named."""
    folded = [name.strip().casefold() for name in names]
    lead = next((i for i, name in enumerate(folded) if name in _LEAD_COLUMN_NAMES), None)
    for index, name in enumerate(names):
        base, unit = split_unit(name)
        is_value = base.strip().casefold() in _VALUE_COLUMN_NAMES
        is_value = is_value or folded[index] in _VALUE_COLUMN_NAMES
        is_value = is_value or find_millivolts(name) is not None
        if lead is not None and is_value:
            return lead, index, unit if unit or find_millivolts(name) is None else name
    return None


def compute_rate_hz(times_s: Array, *, name: str) -> float:
    """The sampling rate that a column of times states.

    Times rounded to milliseconds are accepted, gaps are not. Raises UnsupportedFormatError.
    """
    times_s = np.asarray(times_s, dtype=np.float64)
    count = len(times_s)
    span_s = float(times_s[-1] - times_s[0]) if count > 1 else 0.0
    if not np.isfinite(times_s).all() or span_s <= 0:
        raise UnsupportedFormatError(
            f"{name}: the time column does not increase; remove it and give sampling_rate_hz="
        )
    step_s = span_s / (count - 1)
    expected_s = times_s[0] + step_s * np.arange(count)
    worst = float(np.abs(times_s - expected_s).max()) / step_s
    if worst > _MAX_JITTER_STEPS:
        raise UnsupportedFormatError(
            f"{name}: the time column is not evenly spaced (off by up to {worst:.1f} steps of "
            f"{step_s * 1000:.3g} ms): samples are missing, or the rows are not in order"
        )
    rate_hz = 1.0 / step_s
    nearest = round(rate_hz)
    return float(nearest) if nearest and abs(rate_hz - nearest) < 1e-3 * nearest else rate_hz
