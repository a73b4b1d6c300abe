"""A short-axis cine stack as read from files: sorted by geometry and time, no processing."""

from dataclasses import dataclass, field

from ptacl_core.arrays import Array, Float32, Float64, UInt8
from ptacl_core.records.finding import Finding
from ptacl_core.records.person import Person


@dataclass(frozen=True, slots=True, eq=False)
class CineRecord:
    """One short-axis stack over one cardiac cycle.

    `frames` are raw intensities, slices ordered along the stack, frames by time from the
    R-wave trigger; `spacing_mm` is (slice, row, column); `frame_times_ms` counts from the
    trigger, of the middle slice. `segmentation` (1 LV cavity, 2 LV myocardium, 3 RV cavity)
    is there only when the source has one. `end_diastole` and `end_systole` are the frames (from
    0) that the source itself states, `person` what it says of sex, age and size.
    """

    frames: Float32[Array, "slice frame height width"]
    spacing_mm: tuple[float, float, float]
    frame_times_ms: Float64[Array, " frame"]
    source_format: str
    findings: tuple[Finding, ...] = ()
    segmentation: UInt8[Array, "slice frame height width"] | None = None
    person: Person = field(default_factory=Person)
    end_diastole: int | None = None
    end_systole: int | None = None
