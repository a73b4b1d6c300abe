"""Two measuring cursors on the ECG, each on a sample: time, voltage, rate, QTc. Pure."""

from dataclasses import dataclass, replace

import numpy as np

from ptacl_app.drawing.trace import Trace

QT_RANGE_MS = (200.0, 700.0)
"""A QTc is told of intervals that can be a QT."""
MAX_MARCHED = 200


@dataclass(frozen=True, slots=True)
class Calipers:
    """The times of both cursors, which of them moves, and whether the interval is repeated."""

    times_s: tuple[float, float]
    active: int = 1
    is_marching: bool = False

    def moved(self, samples: int, trace: Trace) -> "Calipers":
        """The active cursor moved by samples, within the recording."""
        sample = trace.sample_of(self.times_s[self.active]) + samples
        return self.moved_to(trace.time_of(sample), trace)

    def moved_to(self, time_s: float, trace: Trace) -> "Calipers":
        """The active cursor at the sample nearest to `time_s`."""
        times = list(self.times_s)
        times[self.active] = trace.snap(time_s)
        return replace(self, times_s=(times[0], times[1]))

    def taking(self, time_s: float, *, within_s: float) -> "Calipers":
        """The cursor near `time_s` becomes the active one; neither within reach: as it is."""
        distances = [abs(mark_s - time_s) for mark_s in self.times_s]
        nearest = int(np.argmin(distances))
        return replace(self, active=nearest) if distances[nearest] <= within_s else self

    def switched(self) -> "Calipers":
        """The other cursor becomes the active one."""
        return replace(self, active=1 - self.active)

    def marched(self) -> "Calipers":
        """Repeat the interval to both sides, or no longer."""
        return replace(self, is_marching=not self.is_marching)

    @property
    def interval_ms(self) -> float:
        """Time between the cursors, in milliseconds."""
        return abs(self.times_s[1] - self.times_s[0]) * 1000

    @property
    def rate_bpm(self) -> float | None:
        """The heart rate whose RR interval this would be, None when the cursors coincide."""
        return None if self.interval_ms < 1e-6 else 60_000 / self.interval_ms

    def lines_s(self, start_s: float, end_s: float) -> tuple[float, ...]:
        """Where lines stand between two times: the cursors, and the marched ones."""
        first, second = sorted(self.times_s)
        step_s = second - first
        if not self.is_marching or step_s <= 0 or (end_s - start_s) / step_s > MAX_MARCHED:
            return (first, second)
        low = int(np.ceil((start_s - first) / step_s))
        high = int(np.floor((end_s - first) / step_s))
        return tuple(first + number * step_s for number in range(low, high + 1))

    def difference_mv(self, trace: Trace, lead: int) -> float:
        """Voltage at the second cursor less that at the first, in one lead."""
        first, second = (trace.millivolts_at(time_s, lead) for time_s in self.times_s)
        return second - first

    def describe(self, trace: Trace, lead: int, *, rr_s: float | None = None) -> str:
        """`Δt 840 ms · V4 Δ −0.35 mV · 71 bpm`; with the mean RR, what the interval is as a QTc."""
        name = trace.lead_names[lead] if lead < len(trace.lead_names) else "?"
        parts = [
            f"Δt {self.interval_ms:.0f} ms",
            f"{name} Δ {self.difference_mv(trace, lead):+.3f} mV".replace("-", "−"),
        ]
        if self.rate_bpm is not None:
            parts.append(f"{self.rate_bpm:.0f} bpm")
        low, high = QT_RANGE_MS
        if rr_s is not None and rr_s > 0 and low <= self.interval_ms <= high:
            bazett = self.interval_ms / rr_s**0.5
            fridericia = self.interval_ms / rr_s ** (1 / 3)
            parts.append(f"as QT: QTc {bazett:.0f} Bazett, {fridericia:.0f} Fridericia")
        return " · ".join(parts)
