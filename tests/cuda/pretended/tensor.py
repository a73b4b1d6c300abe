"""Tensors that claim to lie on CUDA device 0 while their values are computed on the CPU.

The dispatcher believes the claim: autocast casts by torch's own table for CUDA, `.numpy()`
refuses, autograd keeps devices apart. What the kernels would refuse is checked here: tensors
and generators of two devices in one operation. What runs in the end is the CPU's kernel, with
its own rules on dtypes.
"""

import weakref
from typing import Any, ClassVar

import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from tests.cuda.pretended.ledger import Ledger

CUDA = torch.device("cuda", 0)
_CPU = torch.device("cpu")
_READS = {
    "aten::nonzero", "aten::masked_select", "aten::unique_dim", "aten::_unique2", "aten::equal",
    "aten::unique_consecutive", "aten::bincount", "aten::is_nonzero", "aten::item",
}  # fmt: skip
_INDEXED = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}
_MOVES = {"aten::_to_copy", "aten::copy_"}


class CudaTensor(torch.Tensor):
    """A tensor on the pretended device; `values` holds what it is, on the CPU."""

    values: torch.Tensor  # pyright: ignore[reportIncompatibleMethodOverride] - of sparse ones

    @staticmethod
    def __new__(cls, values: torch.Tensor) -> "CudaTensor":
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            values.size(),
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            layout=values.layout,
            device=CUDA,
        )
        made.values = values
        return made

    def record_stream(self, s: Any) -> None:
        """Nothing: what happens on the device happens in order."""

    def __repr__(self, *_: Any, **__: Any) -> str:
        return f"CudaTensor({self.values!r})"

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.Tensor.tolist:
            return args[0].cpu().tolist()
        if func in (torch.Tensor.numpy, torch.Tensor.__array__):
            raise TypeError(
                "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the "
                "tensor to host memory first."
            )
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        if PretendedMode.active is None:
            raise RuntimeError("a tensor of the pretended device outlived it")
        return PretendedMode.active.run(func, args, kwargs or {})


def _address_of(generator: torch.Generator) -> int:
    """Where torch keeps the generator; its stubs leave the attribute out."""
    return getattr(generator, "_cdata")  # noqa: B009


class CudaGenerator(torch.Generator):
    """A generator that claims the pretended device; it draws the CPU's numbers.

    Operations get another Python object of the same generator, so those that claim the device
    are known by their address.
    """

    by_address: ClassVar["weakref.WeakValueDictionary[int, CudaGenerator]"] = (
        weakref.WeakValueDictionary()
    )

    def __init__(self) -> None:
        CudaGenerator.by_address[_address_of(self)] = self

    @property
    def device(self) -> torch.device:  # pyright: ignore[reportIncompatibleVariableOverride]
        return CUDA


class PretendedMode(TorchDispatchMode):
    """Runs every operation of this thread, by CUDA's rules where the device is claimed."""

    active: "PretendedMode | None" = None

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        self.pinned: dict[int, torch.UntypedStorage] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and dynamo takes seconds to import

    def __enter__(self) -> "PretendedMode":
        self.only_lifted = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)
        PretendedMode.active = self
        super().__enter__()
        return self

    def __exit__(self, *caught: Any) -> None:
        super().__exit__(*caught)
        PretendedMode.active = None
        torch._C._set_only_lift_cpu_tensors(self.only_lifted)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return self.run(func, args, kwargs or {})

    def run(self, func, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The operation on the CPU's values, after what CUDA would refuse or wait for."""
        name = func._schema.name
        flat, spec = tree_flatten((args, kwargs))
        tensors = [item for item in flat if isinstance(item, torch.Tensor)]
        claimed = [item for item in tensors if isinstance(item, CudaTensor)]
        wanted = kwargs.get("device")
        is_cuda = torch.device(wanted).type == "cuda" if wanted is not None else bool(claimed)
        if name in ("aten::is_pinned", "aten::pin_memory", "aten::_pin_memory"):
            return self._pin(name, args[0])
        if name == "aten::_local_scalar_dense" and claimed:
            self.ledger.note("read", "item")
        if name in _READS and claimed:
            self.ledger.note("read", name.removeprefix("aten::"))
        if name in _MOVES:
            self._note_move(name, args, kwargs)
        elif name in _INDEXED and claimed:
            self._note_indices(args[1])
        elif claimed:
            _refuse_two_devices(name, tensors)
        _refuse_foreign_generator(flat, is_cuda=is_cuda)
        asks_pinned = bool(kwargs.get("pin_memory"))
        flat = [_strip(item) for item in flat]
        plain_args, plain_kwargs = tree_unflatten(flat, spec)
        plain_kwargs.pop("pin_memory", None) if asks_pinned else None
        with torch._C._DisableTorchDispatch():
            result = func(*plain_args, **plain_kwargs)
        if asks_pinned:
            self._remember_pinned(result)
        known = {id(item.values): item for item in claimed}

        def claim(item: Any) -> Any:
            if not isinstance(item, torch.Tensor):
                return item
            if id(item) in known:
                return known[id(item)]
            return CudaTensor(item) if is_cuda else item

        if name == "aten::copy_":
            return args[0]
        return tree_map(claim, result)

    def _pin(self, name: str, tensor: torch.Tensor) -> Any:
        is_pinned = self._is_pinned(tensor)
        if name == "aten::is_pinned":
            return is_pinned
        if isinstance(tensor, CudaTensor):
            raise RuntimeError("cannot pin 'torch.cuda.FloatTensor' only dense CPU tensors can be")
        with torch._C._DisableTorchDispatch():
            copy = tensor if is_pinned else tensor.clone()
        self._remember_pinned(copy)
        return copy

    def _remember_pinned(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        self.pinned[storage.data_ptr()] = storage

    def _is_pinned(self, tensor: torch.Tensor) -> bool:
        if isinstance(tensor, CudaTensor) or tensor.numel() == 0:
            return False
        return tensor.untyped_storage().data_ptr() in self.pinned

    def _note_move(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if name == "aten::copy_":
            target, source = args[0], args[1]
            is_to_cuda = isinstance(target, CudaTensor)
            is_free = bool(args[2]) if len(args) > 2 else bool(kwargs.get("non_blocking"))
            host = source if is_to_cuda else target
        else:
            source = host = args[0]
            wanted = kwargs.get("device")
            is_from_cuda = isinstance(source, CudaTensor)
            is_to_cuda = torch.device(wanted).type == "cuda" if wanted is not None else is_from_cuda
            is_free = bool(kwargs.get("non_blocking"))
        if isinstance(source, CudaTensor) == is_to_cuda:
            return
        if isinstance(source, CudaTensor):
            if not (is_free and name == "aten::copy_" and self._is_pinned(host)):
                self.ledger.note("read", "copy to the host")
        elif not (is_free and self._is_pinned(host)):
            self.ledger.note("copy", "copy of unpinned memory to the device")

    def _note_indices(self, indices: Any) -> None:
        for index in indices:
            if index is None:
                continue
            if index.dtype in (torch.bool, torch.uint8):
                self.ledger.note("read", "nonzero of an index")
            elif not isinstance(index, CudaTensor):
                self.ledger.note("copy", "an index that lies on the host")


def _strip(item: Any) -> Any:
    if isinstance(item, CudaTensor):
        return item.values
    if isinstance(item, torch.device) and item.type == "cuda":
        return _CPU
    return item


def _refuse_two_devices(name: str, tensors: list[torch.Tensor]) -> None:
    for tensor in tensors:
        if not isinstance(tensor, CudaTensor) and tensor.dim() > 0:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"cuda:0 and cpu! ({name})"
            )


def _refuse_foreign_generator(flat: list[Any], *, is_cuda: bool) -> None:
    for item in flat:
        if not isinstance(item, torch._C.Generator):
            continue
        if (_address_of(item) in CudaGenerator.by_address) != is_cuda:
            expected, got = ("cuda", "cpu") if is_cuda else ("cpu", "cuda")
            raise RuntimeError(
                f"Expected a '{expected}' device type for generator but found '{got}'"
            )


_attend_on_cpu = functional.scaled_dot_product_attention


def attend(query, key, value, *args, **kwargs):
    """Fused attention by its definition, in the type that autocast gives its inputs.

    torch chooses among the fused kernels by the device, and has none for a pretended one.
    """
    if not isinstance(query, CudaTensor):
        return _attend_on_cpu(query, key, value, *args, **kwargs)
    assert not args
    assert not kwargs
    if torch.is_autocast_enabled("cuda"):
        dtype = torch.get_autocast_dtype("cuda")
        query, key, value = (tensor.to(dtype) for tensor in (query, key, value))
    if not query.dtype == key.dtype == value.dtype:
        raise RuntimeError("Expected query, key, and value to have the same dtype")
    with torch.autocast("cuda", enabled=False):
        scores = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
        return torch.softmax(scores, dim=-1) @ value
