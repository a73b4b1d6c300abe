"""Two measuring cursors on the ECG: time, voltage and rate between them. Pure."""

from dataclasses import dataclass, replace

from ptacl_app.drawing.ecg_page import DURATION_S, SAMPLING_RATE_HZ
from ptacl_core.arrays import Array, Float32


@dataclass(frozen=True, slots=True)
class Calipers:
    """The times of both cursors and which of them moves."""

    times_s: tuple[float, float]
    active: int = 1

    def moved(self, offset_s: float) -> "Calipers":
        """The active cursor moved within the recording."""
        return self.moved_to(self.times_s[self.active] + offset_s)

    def moved_to(self, time_s: float) -> "Calipers":
        """The active cursor at `time_s`."""
        times = list(self.times_s)
        times[self.active] = min(max(time_s, 0.0), DURATION_S - 1 / SAMPLING_RATE_HZ)
        return replace(self, times_s=(times[0], times[1]))

    def switched(self) -> "Calipers":
        """The other cursor becomes the active one."""
        return replace(self, active=1 - self.active)

    @property
    def interval_ms(self) -> float:
        """Time between the cursors, in milliseconds."""
        return abs(self.times_s[1] - self.times_s[0]) * 1000

    @property
    def rate_bpm(self) -> float | None:
        """The heart rate whose RR interval this would be, None when the cursors coincide."""
        return None if self.interval_ms < 1e-6 else 60_000 / self.interval_ms

    def difference_mv(self, signal_mv: Float32[Array, "12 sample"], lead: int) -> float:
        """Voltage at the second cursor less that at the first, in one lead."""
        first, second = (
            float(signal_mv[lead, min(round(time_s * SAMPLING_RATE_HZ), signal_mv.shape[1] - 1)])
            for time_s in self.times_s
        )
        return second - first

    def describe(self, signal_mv: Float32[Array, "12 sample"], lead: int) -> str:
        """`Δt 840 ms · Δ −0.35 mV · 71 bpm`."""
        rate = "" if self.rate_bpm is None else f" · {self.rate_bpm:.0f} bpm"
        difference = self.difference_mv(signal_mv, lead)
        return f"Δt {self.interval_ms:.0f} ms · Δ {difference:+.2f} mV{rate}"
