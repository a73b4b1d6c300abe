"""Single beats, R to R, as the beat encoder takes them: resampled to steps of one length."""

import torch

from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Bool, Float, Int, Tensor


def draw_beats(
    spans: Int[Tensor, "batch beat 2"], draw: Float[Tensor, " batch"], *, num_beats: int
) -> Int[Tensor, "batch kept 2"]:
    """`num_beats` beats in a row of each recording; all where a recording has fewer.

    `draw` in [0, 1) says where the beats begin. `spans` comes from `preprocess.beat_spans`:
    complete beats first, -1 where there is none.
    """
    count = (spans[:, :, 0] >= 0).sum(dim=1)
    room = (count - num_beats).clamp(min=0) + 1
    first = (draw * room).long()
    place = first[:, None] + torch.arange(min(num_beats, spans.shape[1]), device=spans.device)
    return spans.gather(1, place[:, :, None].expand(-1, -1, 2))


def mean_beat(
    ecg: Float[Tensor, "batch lead sample"], spans: Int[Tensor, "batch beat 2"], *, num_points: int
) -> Float[Tensor, "batch lead point"]:
    """The mean of the complete beats, each interpolated linearly at `num_points` equal phases.

    Point i of a beat [r0, r1) stands at phase (i + ½) / num_points, that is at sample
    r0 + (i + ½)(r1 − r0) / num_points − ½. A recording without a complete beat gives zeros.
    The beats are added one after another: memory holds one beat of the batch. Raises
    ConfigError where a beat ends behind its recording (on a GPU, whose values the host does not
    wait for, such a beat stays at the last sample).
    """
    num_samples = ecg.shape[2]
    if spans.device.type == "cpu" and int(spans.max()) > num_samples:
        raise ConfigError(
            f"spans: a beat ends at sample {int(spans.max())} of recordings of {num_samples}"
        )
    values = ecg if ecg.dtype == torch.float64 else ecg.float()
    is_beat = spans[:, :, 0] >= 0
    shares = is_beat.to(values.dtype) / is_beat.sum(dim=1, keepdim=True).clamp(min=1)
    # Places in float64: a sample number above 4,096 leaves float32 half a thousandth only.
    phase = (torch.arange(num_points, device=ecg.device, dtype=torch.float64) + 0.5) / num_points
    total = values.new_zeros(len(ecg), ecg.shape[1], num_points)
    for beat in range(spans.shape[1]):
        start, stop = spans[:, beat, 0], spans[:, beat, 1]
        place = start[:, None] + phase * (stop - start)[:, None] - 0.5
        place = place.clamp(0.0, num_samples - 1.0)
        low = place.floor().long().clamp(max=num_samples - 2)
        index = low[:, None].expand(-1, ecg.shape[1], -1)
        weight = (place - low).to(values.dtype)[:, None]
        sampled = torch.lerp(values.gather(2, index), values.gather(2, index + 1), weight)
        total = total + sampled * shares[:, beat, None, None]
    return total


def beats_as_steps(
    beat: Float[Tensor, "batch lead point"],
    rhythm: Float[Tensor, "batch value"],
    *,
    num_steps: int,
) -> Float[Tensor, "batch step width"]:
    """A beat cut into steps of all leads, lead by lead, with the rhythm beside each step."""
    num_records, num_leads, num_points = beat.shape
    cut = beat.reshape(num_records, num_leads, num_steps, num_points // num_steps)
    values = cut.transpose(1, 2).reshape(num_records, num_steps, -1)
    beside = rhythm.to(values.dtype)[:, None].expand(-1, num_steps, -1)
    return torch.cat((values, beside), dim=2)


def step_matrices(
    is_valid: Bool[Tensor, " batch"], num_steps: int
) -> Float[Tensor, "batch step step"]:
    """Beat-step matrices of tokens that are the steps already: identity, zeros where invalid."""
    return torch.eye(num_steps, device=is_valid.device) * is_valid[:, None, None].float()
