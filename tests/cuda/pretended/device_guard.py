"""Lets autograd run on tensors that claim to lie on a CUDA device, in a torch without CUDA.

Autograd asks for streams of the tensors' device: of the device's "guard", of which a CPU-only
torch has none for CUDA, and of the accelerator, of which it sees none. torch brings a guard that
does nothing for machines without a GPU; it is put in place here, and the hook that says whether
torch was built with CUDA says yes for as long as the pretended device stands.
"""

import contextlib
import ctypes
from collections.abc import Iterator
from pathlib import Path

import torch

_CUDA = 1
_NUM_METHODS = 96
_ANSWERED_YES = (2, 4)
"""Places of `isBuilt` and `hasPrimaryContext` among the hooks' methods, after two destructors."""
_FOLDER = Path(torch.__file__).parent
_kept: list[object] = []


@contextlib.contextmanager
def cuda_without_a_gpu() -> Iterator[None]:
    """For the time of the block autograd takes CUDA for an accelerator whose streams are idle."""
    _put_no_op_guard()
    library = ctypes.CDLL(str(_FOLDER / "lib" / "libtorch_cpu.so"))
    get_hooks = library._ZN2at6detail12getCUDAHooksEv
    get_hooks.restype = ctypes.c_void_p
    hooks = ctypes.c_void_p.from_address(get_hooks())
    original = hooks.value
    assert original is not None
    methods = (ctypes.c_void_p * _NUM_METHODS).from_buffer_copy(
        ctypes.string_at(original, ctypes.sizeof(ctypes.c_void_p) * _NUM_METHODS)
    )
    answer_yes = ctypes.CFUNCTYPE(ctypes.c_bool)(lambda: True)
    for place in _ANSWERED_YES:
        methods[place] = ctypes.cast(answer_yes, ctypes.c_void_p).value
    _kept.extend((methods, answer_yes))
    hooks.value = ctypes.addressof(methods)
    try:
        yield
    finally:
        hooks.value = original


def _put_no_op_guard() -> None:
    """torch's own no-op guard, which it only puts in place of one that sees no device."""
    library = ctypes.CDLL(str(_FOLDER / "lib" / "libc10.so"))
    guards = (ctypes.c_void_p * (_CUDA + 1)).in_dll(
        library, "_ZN3c104impl26device_guard_impl_registryE"
    )
    if guards[_CUDA] is None:
        answer_zero = ctypes.CFUNCTYPE(ctypes.c_int8)(lambda: 0)
        address = ctypes.cast(answer_zero, ctypes.c_void_p).value
        methods = (ctypes.c_void_p * _NUM_METHODS)(*[address] * _NUM_METHODS)
        guard = ctypes.c_void_p(ctypes.addressof(methods))
        _kept.extend((answer_zero, methods, guard))
        guards[_CUDA] = ctypes.addressof(guard)
    torch._C._ensureCUDADeviceGuardSet()
