"""A 12-lead ECG as read from a file: physical units, standard lead order, no processing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ptacl_core.arrays import Array, Float32, Int64
from ptacl_core.records.finding import Finding
from ptacl_core.records.marks import BeatMarks
from ptacl_core.records.person import Person

LEAD_NAMES = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""The twelve leads in the order of every ECG array of the package."""


@dataclass(frozen=True, slots=True, eq=False)
class EcgRecord:
    """One simultaneous 12-lead recording.

    `signal_mv` is in millivolts, NaN where the file says that there is no sample.
    `device_r_peak_samples` are the R times that the device itself wrote, if any, in samples
    of this record; `device_measurements` the figures it wrote (`heart_rate_bpm`, `pr_ms`,
    `qrs_ms`, `qt_ms`, `qtc_ms`, `axis_deg`), `person` the sex, age and size that the file
    states. `further_mv` are leads beside the twelve (V7, V3R, Frank's X …), to look at: nothing is
    computed from them. No field holds an identifier.
    """

    signal_mv: Float32[Array, "12 sample"]
    sampling_rate_hz: float
    source_format: str
    findings: tuple[Finding, ...] = ()
    lead_names: tuple[str, ...] = LEAD_NAMES
    device_r_peak_samples: Int64[Array, " beat"] | None = None
    device_measurements: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    device_beat_mv: Float32[Array, "12 beat_sample"] | None = None
    device_beat_rate_hz: float | None = None
    device_marks: BeatMarks | None = None
    device_statements: tuple[str, ...] = ()
    person: Person = field(default_factory=Person)
    further_mv: Float32[Array, "further sample"] | None = None
    further_lead_names: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """Length of the recording in seconds."""
        return self.signal_mv.shape[1] / self.sampling_rate_hz
