"""Random five-second windows of ten-second ECGs."""

import torch

from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Float, Generator, Int, Tensor, move_to_device


def random_ecg_crop_starts(
    batch_size: int,
    generator: Generator,
    *,
    num_samples: int = 5000,
    crop_samples: int = 2500,
) -> Int[Tensor, " batch"]:
    """First sample of each crop, uniform over every offset, the last one included.

    R peaks travel with the crop: subtract the start. Evaluation takes start 0. The starts stay
    on the generator's device.
    """
    if not 0 < crop_samples <= num_samples:
        raise ConfigError(f"crop_samples: expected 1 to {num_samples} samples, got {crop_samples}")
    return torch.randint(
        num_samples - crop_samples + 1,
        (batch_size,),
        generator=generator,
        device=generator.device,
    )


def crop_ecg(
    signals: Float[Tensor, "batch lead sample"],
    starts: Int[Tensor, " batch"],
    *,
    crop_samples: int = 2500,
) -> Float[Tensor, "batch lead crop"]:
    """The windows [start, start + crop_samples) as float32.

    `signals` may be float16, as they lie in the shards. Nothing is checked on the values of
    `starts` but that they index inside the recording.
    """
    if signals.shape[2] < crop_samples:
        raise ConfigError(
            f"crop_ecg: recordings of {signals.shape[2]} samples hold no crop of {crop_samples}"
        )
    windows = signals.unfold(2, crop_samples, 1)
    records = torch.arange(len(signals), device=signals.device)
    return windows[records, :, move_to_device(starts, signals.device)].float()
