"""`torch.cuda` as it answers where there is one device, and the device itself."""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import torch
from torch.nn import functional

from tests.cuda.pretended.device_guard import cuda_without_a_gpu
from tests.cuda.pretended.ledger import Ledger
from tests.cuda.pretended.tensor import CUDA, CudaGenerator, PretendedMode, attend

GIB = 2**30


class _Stream:
    """Everything happens at once and in order; what must wait for the host is counted."""

    device = CUDA

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def wait_stream(self, _stream: "_Stream") -> None: ...

    def wait_event(self, _event: "_Event") -> None: ...

    def record_event(self, event: "_Event | None" = None) -> "_Event":
        return event or _Event()

    def synchronize(self) -> None:
        _note("stream.synchronize")


class _Event:
    def __init__(self, *_: Any, **__: Any) -> None: ...

    def record(self, _stream: Any = None) -> None: ...

    def wait(self, _stream: Any = None) -> None: ...

    def query(self) -> bool:
        return True

    def synchronize(self) -> None:
        _note("event.synchronize")


def _note(operation: str) -> None:
    if PretendedMode.active is not None:
        PretendedMode.active.ledger.note("read", operation)


class _ChoosingGenerator(torch.Generator):
    """What `torch.Generator(device)` makes while the device is pretended."""

    def __new__(cls, device: Any = "cpu") -> torch.Generator:
        if torch.device(device).type == "cuda":
            return CudaGenerator()
        return super().__new__(cls, device)  # pyright: ignore[reportCallIssue] - the stubs leave it out


@contextlib.contextmanager
def pretended_cuda(*, free_bytes: int = 100 * GIB) -> Iterator[Ledger]:
    """One CUDA device for the time of the block, in this thread; gives what waited for it.

    Real values and real autograd, on the CPU. It cannot see: kernels that a GPU lacks or that
    compute other digits, races between streams, memory, NCCL, and time.
    """
    ledger = Ledger()
    state = torch.get_rng_state
    answers: dict[str, Any] = {
        "is_available": lambda: True,
        "is_bf16_supported": lambda *_, **__: True,
        "_lazy_init": lambda: None,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "set_device": lambda _device: None,
        "get_device_name": lambda _device=None: "pretended",
        "get_device_capability": lambda _device=None: (9, 0),
        "mem_get_info": lambda _device=None: (free_bytes, 2 * free_bytes),
        "synchronize": lambda _device=None: _note("synchronize"),
        "manual_seed_all": lambda _seed: None,
        "get_rng_state": lambda _device=None: state(),
        "set_rng_state": lambda value, _device=None: torch.set_rng_state(value),
        "empty_cache": lambda: None,
        "Stream": _Stream,
        "Event": _Event,
        "current_stream": lambda _device=None: _Stream(),
        "stream": lambda _stream: contextlib.nullcontext(),
        "device": lambda _device: contextlib.nullcontext(),
    }
    overwrites = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    with contextlib.ExitStack() as stack:
        stack.callback(torch.__future__.set_overwrite_module_params_on_conversion, overwrites)
        stack.enter_context(cuda_without_a_gpu())
        for name, answer in answers.items():
            stack.enter_context(patch.object(torch.cuda, name, answer))
        stack.enter_context(patch.object(functional, "scaled_dot_product_attention", attend))
        stack.enter_context(patch.object(torch, "Generator", _ChoosingGenerator))
        stack.enter_context(torch.autograd.set_multithreading_enabled(False))
        stack.enter_context(PretendedMode(ledger))
        yield ledger
