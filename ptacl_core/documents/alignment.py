"""The local alignment and its controls (evaluation.md §3.4)."""

from ptacl_core.documents.figures import Bounded
from ptacl_core.documents.model import Part

Interval = tuple[float | None, float | None]


class Accuracy(Part):
    """top-1 and ±1 accuracy of the steps with intervals; nulls and `why` where there are none."""

    top1: float | None
    top1_interval: Interval | None
    within1: float | None
    within1_interval: Interval | None
    n: int
    why: str | None = None


class Shift(Part):
    """One shift of the frames: matches with the moved content, and with the old index."""

    shift: int
    top1: float
    index_top1: float
    is_moved: bool | None


class ShiftControl(Accuracy):
    """Does the ridge follow the frames (content), or stay where the index is (clock)."""

    index_top1: float | None = None
    index_top1_interval: Interval | None = None
    verdict: str | None = None
    share_moved: float | None = None
    shifts: tuple[Shift, ...] = ()


class OtherPatientControl(Accuracy):
    """Each ECG with another patient's cine; what the own cine adds."""

    same_patient_excess: Bounded | None = None
    same_patient_cosine: Bounded | None = None


class RhythmControl(Accuracy):
    """Irregular rhythm, beside regular rhythm."""

    regular: Accuracy | None = None


class Controls(Part):
    """The controls that this run can have; a run without the local loss is another run."""

    shifted_frames: ShiftControl
    other_patient: OtherPatientControl
    no_positions: Accuracy
    permuted_tokens: Accuracy
    irregular_rhythm: RhythmControl


class Chanced(Bounded):
    """A figure with its interval and what chance gives."""

    chance: float


class TimingKept(Part):
    """Partial R² of one timing of the patient's own, beyond heart rates, sex, EF and age.

    By source: pooled ECG features, pooled CMR features, the map of the patient's own steps,
    and the mean beat alone, since the ECG carries its intervals by itself.
    """

    target: str
    sources: dict[str, Bounded]
    n: int


class AlignmentSection(Accuracy):
    """The map of ECG phases against cine phases over the test patients, and what it means.

    `centred_top1` and `own_rank` are without the template that all patients share: only they
    ask whose heart it is. `timing_kept` needs a simulator's truth.
    """

    top1_chance: float
    within1_chance: float
    mean_circular_offset: float | None
    diagonal_mass: float | None
    entropy_nats: float | None
    rank_correlation: float | None
    patients: int
    map: tuple[tuple[float, ...], ...] | None
    centred_top1: Chanced | None = None
    own_rank: Chanced | None = None
    timing_kept: tuple[TimingKept, ...] = ()
    timing_note: str = ""
    controls: Controls | None = None
