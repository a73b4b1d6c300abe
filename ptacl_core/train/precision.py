"""Where and in which number format a run computes."""

import importlib.util
import os
import shutil

import torch

from ptacl_core.errors import ConfigError


def resolve_device(name: str, *, local_rank: int = 0) -> torch.device:
    """Device of this process: "auto" takes a CUDA device when there is one.

    Under torchrun "auto" and "cuda" take the device of the local rank. Raises ConfigError for
    a device that is not there.
    """
    state_float32_precision()
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
    if device.type == "cuda" and device.index is None:  # pyright: ignore[reportUnnecessaryComparison] - None without a number
        device = torch.device("cuda", local_rank)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device '{device}': {torch.cuda.device_count()} CUDA devices are here; "
            "start fewer processes or name another device"
        )
    return device


def state_float32_precision() -> None:
    """Float32 products and convolutions are float32, not TF32, on every device.

    What may be less exact says so: matrix products of the encoders run in bf16 where the run's
    precision is bf16. torch's own default rounds convolutions to TF32 on a GPU.
    """
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False


def require_compiler(device: torch.device) -> None:
    """Raise ConfigError where torch.compile would find nothing to compile with.

    It needs a C++ compiler (`CXX`, g++ or clang++), and on a GPU triton.
    """
    names = (os.environ.get("CXX", "g++"), "g++", "clang++")
    if not any(shutil.which(name) for name in names):
        raise ConfigError(
            "compute.compile: expected a C++ compiler (g++ or clang++), found none; install one, "
            "or set compute.compile = false"
        )
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        raise ConfigError(
            "compute.compile: on a GPU torch.compile needs the package triton, which is not "
            "installed; install it, or set compute.compile = false"
        )


def encoding_precision(device: torch.device, precision: str) -> str:
    """Number format in which trained encoders are applied.

    On a GPU the run's own, as in training; on the CPU fp32, which every CPU computes alike.
    """
    return precision if device.type == "cuda" else "fp32"


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The mixed-precision context of a step: bf16 matrix products, or none for "fp32"."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
