"""Sampling rates from a table's column of times: numbers in a unit, numbers alone, clock times."""

import re
from collections.abc import Sequence

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.errors import UnsupportedFormatError
from ptacl_core.records import Finding

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
_TIME_NAMES = {"time", "t", "zeit", "temps", "tiempo", "tempo", "seconds", "milliseconds"}
_CLOCK_NAMES = _TIME_NAMES | {"timestamp", "datetime"}
_MAX_JITTER_STEPS = 0.6
_ECG_RATES_HZ = (80.0, 2500.0)
"""Rates of ECG recorders; a time column without a unit has the unit that leads here."""
_CLOCK = re.compile(
    r"\[?(?:\d{4}-\d{2}-\d{2}[T ])?(?:(\d{1,3}):)?(\d{1,2}):(\d{2}(?:[.,]\d{1,9})?)"
    r"(?: \d{1,2}/\d{1,2}/\d{4})?\]?"
)


def find_time_column(names: Sequence[str]) -> tuple[int, float] | None:
    """The time column and its unit in seconds ("time (s)", "t_ms"); None without a unit."""
    for index, words in _named_after(names, _TIME_NAMES):
        for word in reversed(words):
            if word in SECONDS_PER_UNIT:
                return index, SECONDS_PER_UNIT[word]
    return None


def find_bare_time_column(names: Sequence[str]) -> int | None:
    """The column called time ("time", "Zeit", "timestamp") whose name holds no unit."""
    return next((index for index, _ in _named_after(names, _CLOCK_NAMES)), None)


def _named_after(names: Sequence[str], wanted: set[str]) -> list[tuple[int, list[str]]]:
    named: list[tuple[int, list[str]]] = []
    for index, name in enumerate(names):
        words = [word for word in re.split(r"[\s_()\[\]/,]+", name.strip().casefold()) if word]
        if wanted.intersection(words[:2]):
            named.append((index, words))
    return named


def infer_times_s(numbers: Float64[Array, " row"]) -> tuple[Float64[Array, " row"], Finding] | None:
    """Times in seconds when just one unit makes them an ECG's; None when several or none do.

    Steps of 1 are not believed: they may count samples.
    """
    if len(numbers) < 2 or not np.isfinite(numbers).all():
        return None
    step = float(numbers[-1] - numbers[0]) / (len(numbers) - 1)
    low_hz, high_hz = _ECG_RATES_HZ
    units = [
        (name, SECONDS_PER_UNIT[name])
        for name in ("s", "ms", "us")
        if step > 0 and low_hz <= 1.0 / (step * SECONDS_PER_UNIT[name]) <= high_hz
    ]
    if len(units) != 1 or abs(step - 1.0) < 1e-6:
        return None
    unit, seconds = units[0]
    message = f"the time column names no unit; only {unit} gives an ECG's sampling rate"
    return numbers * seconds, Finding("time_unit_inferred", "info", message)


def parse_clock_s(texts: Sequence[str]) -> Float64[Array, " row"] | None:
    """Times of day ("0:01.002", "14:32:36.375", ISO dates before them) in s; None for others."""
    times_s = np.empty(len(texts))
    for index, text in enumerate(texts):
        match = _CLOCK.fullmatch(text.strip().strip("\"'").strip())
        if match is None:
            return None
        hours, minutes, seconds = match.groups()
        times_s[index] = (
            3600.0 * int(hours or 0) + 60.0 * int(minutes) + float(seconds.replace(",", "."))
        )
    return times_s


def is_time_unit(text: str) -> bool:
    """Whether a cell under a column's name is a unit of time or a clock's pattern."""
    folded = text.casefold()
    return folded in SECONDS_PER_UNIT or re.fullmatch(r"[hms:.,]+:[hms:.,]+", folded) is not None


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
