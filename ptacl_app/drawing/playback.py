"""One clock for the cine frame, the ECG cursor and the beat's step: time → phase, all from it."""

from dataclasses import dataclass
from math import floor
from typing import Protocol

NUM_STEPS = 13
SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0)
DEFAULT_CYCLE_S = 1.0
_NUDGE = 1e-6


class TimeSource(Protocol):
    """Gives the present time in seconds; only differences matter."""

    def __call__(self) -> float:
        """Now, in seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Position:
    """Where playback stands. `cursor_s` is None without beats, `frame` None without a cine."""

    phase: float
    beat: int
    step: int
    frame: int | None
    cursor_s: float | None


class PlaybackClock:
    """Counts cardiac cycles. Frame and step are floors of the phase, never counters of ticks.

    One turn of the cine is one beat of the ECG: the phase within the cycle picks the frame
    (⌊frames·phase⌋), the step (⌊13·phase⌋) and the place between the beat's two R peaks.
    At real time a cycle lasts what the cine's metadata say; without a cine, what the beat
    itself lasted.
    """

    def __init__(
        self,
        *,
        r_peak_times_s: tuple[float, ...] = (),
        num_frames: int | None = None,
        cine_cycle_s: float | None = None,
    ) -> None:
        self.r_peak_times_s = r_peak_times_s
        self.num_beats = max(len(r_peak_times_s) - 1, 0)
        self.num_frames = num_frames
        self.cine_cycle_s = cine_cycle_s
        self.speed = 1.0
        self.is_playing = False
        self._cycles = 0.0
        self._last_s: float | None = None

    @property
    def can_play(self) -> bool:
        """False when there is neither a cine nor a whole beat."""
        return self.num_beats > 0 or self.num_frames is not None

    @property
    def beat(self) -> int:
        """Number of the current beat, from 0."""
        return floor(self._cycles) % max(self.num_beats, 1)

    @property
    def phase(self) -> float:
        """Share of the cycle that has passed since the R peak, in [0, 1)."""
        return self._cycles - floor(self._cycles)

    @property
    def cycle_s(self) -> float:
        """How long the current cycle lasts at real time, in seconds."""
        if self.cine_cycle_s is not None:
            return self.cine_cycle_s
        if self.num_beats:
            return self.r_peak_times_s[self.beat + 1] - self.r_peak_times_s[self.beat]
        return DEFAULT_CYCLE_S

    @property
    def position(self) -> Position:
        """Everything that follows from the phase."""
        phase, beat = self.phase, self.beat
        cursor_s = None
        if self.num_beats:
            start, end = self.r_peak_times_s[beat : beat + 2]
            cursor_s = start + phase * (end - start)
        frame = (
            None
            if self.num_frames is None
            else min(floor(phase * self.num_frames), self.num_frames - 1)
        )
        return Position(phase, beat, min(floor(phase * NUM_STEPS), NUM_STEPS - 1), frame, cursor_s)

    def play(self, now_s: float) -> None:
        """Run from `now_s` on, if there is anything to play."""
        self.is_playing = self.can_play
        self._last_s = now_s

    def pause(self) -> None:
        """Stand still."""
        self.is_playing = False

    def tick(self, now_s: float) -> Position:
        """Let the time since the last tick pass, whether or not anything was drawn in it."""
        if self.is_playing and self._last_s is not None:
            remaining = max(now_s - self._last_s, 0.0) * self.speed
            # a beat at a time, since each has its own length without a cine
            while remaining > 0:
                left = (1.0 - self.phase) * self.cycle_s
                if remaining < left:
                    self._cycles += remaining / self.cycle_s
                    break
                remaining -= left
                self._cycles = float(floor(self._cycles) + 1)
                if self.cine_cycle_s is not None and remaining > self.cine_cycle_s:
                    whole = floor(remaining / self.cine_cycle_s)
                    self._cycles += whole
                    remaining -= whole * self.cine_cycle_s
        self._last_s = now_s
        return self.position

    def seek_phase(self, phase: float) -> None:
        """Stand at `phase` of the current beat."""
        self._cycles = floor(self._cycles) + min(max(phase, 0.0), 1.0 - _NUDGE)

    def seek_beat(self, beat: int) -> None:
        """Go to a beat and keep the phase; beats beyond the last start again."""
        self._cycles = beat % max(self.num_beats, 1) + self.phase

    def seek_step(self, step: int) -> None:
        """Stand in the middle of one of the 13 steps of the current beat."""
        self.seek_phase((step + 0.5) / NUM_STEPS)

    def seek_frame(self, frame: int) -> None:
        """Stand in the middle of a frame; frames beyond either end go on in the next beat."""
        if self.num_frames is None:
            return
        turns, inside = divmod(frame, self.num_frames)
        cycles = floor(self._cycles) + turns + (inside + 0.5) / self.num_frames
        self._cycles = cycles % max(self.num_beats, 1)

    def seek_frame_in_beat(self, frame: int) -> None:
        """Stand in the middle of a frame of the current beat; −1 is the last one."""
        if self.num_frames is not None:
            self.seek_phase((frame % self.num_frames + 0.5) / self.num_frames)

    def seek_time(self, time_s: float) -> None:
        """Stand where the ECG cursor is at `time_s`; outside the whole beats, do nothing."""
        for beat in range(self.num_beats):
            start, end = self.r_peak_times_s[beat : beat + 2]
            if start <= time_s < end:
                self._cycles = beat + min((time_s - start) / (end - start), 1.0 - _NUDGE)

    def change_frame(self, offset: int) -> None:
        """Pause and move by `offset` frames, or by steps of the beat where there is no cine."""
        self.pause()
        if self.num_frames is not None:
            self.seek_frame(floor(self.phase * self.num_frames) + offset)
        else:
            turns, step = divmod(self.position.step + offset, NUM_STEPS)
            self._cycles = (floor(self._cycles) + turns) % max(self.num_beats, 1)
            self.seek_step(step)

    def change_speed(self, offset: int) -> None:
        """Go `offset` places along `SPEEDS`."""
        place = min(range(len(SPEEDS)), key=lambda index: abs(SPEEDS[index] - self.speed))
        self.speed = SPEEDS[min(max(place + offset, 0), len(SPEEDS) - 1)]
