"""Recordings as the encoders take them, with what preprocessing found."""

from dataclasses import dataclass

from ptacl_core.arrays import Array, Float32, Int64
from ptacl_core.records.finding import Finding


@dataclass(frozen=True, slots=True, eq=False)
class PreparedEcg:
    """Ten seconds at 500 Hz, denoised and normalised.

    `signal` is dimensionless (z-scored as the settings say), `signal_mv` the same samples
    denoised but in millivolts, for display; `r_peak_samples` index both. `unfiltered_mv` are the
    samples before denoising, without gaps and spikes: what waves are measured on (None: the
    denoised ones are all there is).
    """

    signal: Float32[Array, "12 5000"]
    signal_mv: Float32[Array, "12 5000"]
    r_peak_samples: Int64[Array, " beat"]
    heart_rate_bpm: float | None
    findings: tuple[Finding, ...] = ()
    unfiltered_mv: Float32[Array, "12 5000"] | None = None

    @property
    def is_accepted(self) -> bool:
        """False when any finding rejects the recording."""
        return all(finding.severity != "reject" for finding in self.findings)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedCine:
    """One slice over one cycle: 50 frames from end-diastole, the heart in the middle.

    `frames` lie in [0, 1]; `centre_px` is the heart centre (row, column) in the source image,
    `frame_interval_ms` the time between the 50 frames (None: not stated by the source),
    `end_diastole_frame` the source's frame that became the first, `end_systole_phase` the one of
    the 50 with the smallest cavity (None: the cavity hardly changes).
    """

    frames: Float32[Array, "50 84 84"]
    slice_index: int
    centre_px: tuple[float, float]
    frame_interval_ms: float | None = None
    findings: tuple[Finding, ...] = ()
    end_diastole_frame: int = 0
    end_systole_phase: int | None = None

    @property
    def is_accepted(self) -> bool:
        """False when any finding rejects the recording."""
        return all(finding.severity != "reject" for finding in self.findings)
