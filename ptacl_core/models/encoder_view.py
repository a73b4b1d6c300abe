"""What a run's encoders see of a recording, and in which number format they look."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderView:
    """How prepared recordings are cut for a run's encoders, without augmentation.

    The ECG's first `crop_samples` samples, in patches of `patch_samples`; `num_steps` phases of
    a beat, which `beat_mode` says how to make from patches; `num_frames` frames, evenly over
    the cycle. `precision` is the run's: on a GPU encoders work in it, on the CPU in float32.
    """

    crop_samples: int
    patch_samples: int
    num_steps: int
    num_frames: int
    beat_mode: Literal["phase", "tokens"] = "phase"
    precision: str = "fp32"
