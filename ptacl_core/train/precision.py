"""Where and in which number format a run computes."""

import torch

from ptacl_core.errors import ConfigError


def resolve_device(name: str, *, local_rank: int = 0) -> torch.device:
    """Device of this process: "auto" takes a CUDA device when there is one.

    Under torchrun "auto" and "cuda" take the device of the local rank. Raises ConfigError for
    a device that is not there.
    """
    has_cuda = torch.cuda.is_available()
    if name == "auto":
        name = "cuda" if has_cuda else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(
            f"device '{name}': expected auto, cpu, cuda or cuda:N; correct `device`"
        ) from None
    if device.type == "cuda" and not has_cuda:
        raise ConfigError(f"device '{name}': no CUDA device was found; set device = \"cpu\"")
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", local_rank)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device '{device}': {torch.cuda.device_count()} CUDA devices are here; "
            "start fewer processes or name another device"
        )
    return device


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The mixed-precision context of a step: bf16 matrix products, or none for "fp32"."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
