"""The pretended device refuses and counts what a GPU would; planted faults are found."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ptacl_core.augment.cine_intensity import blur_matrices
from ptacl_core.tensors import move_to_device
from tests.cuda.pretended.tensor import CudaTensor


def on_device(*shape):
    return torch.ones(shape, device="cuda")


def test_a_tensor_says_where_it_is_and_keeps_its_values(cuda):
    values = torch.arange(6.0).view(2, 3).to("cuda")
    assert isinstance(values, CudaTensor)
    assert (values.device, values.is_cuda) == (torch.device("cuda", 0), True)
    assert (values @ values.T).cpu().tolist() == [[5.0, 14.0], [14.0, 50.0]]
    assert torch.equal((values + 1)[:, 1:].cpu(), torch.tensor([[2.0, 3.0], [5.0, 6.0]]))


def test_tensors_of_two_devices_are_refused_in_one_operation(cuda):
    with pytest.raises(RuntimeError, match="two devices, cuda:0 and cpu"):
        torch.add(on_device(3), torch.ones(3))
    with pytest.raises(RuntimeError, match="two devices"):
        torch.cat((on_device(3), torch.ones(3)))
    assert (on_device(3) * torch.tensor(2.0)).cpu().tolist() == [2.0, 2.0, 2.0]


def test_a_generator_draws_on_its_own_device_only(cuda):
    own, other = torch.Generator("cuda").manual_seed(1), torch.Generator().manual_seed(1)
    assert own.device.type == "cuda"
    assert torch.rand(3, generator=own, device="cuda").is_cuda
    with pytest.raises(RuntimeError, match="'cuda' device type for generator but found 'cpu'"):
        torch.rand(3, generator=other, device="cuda")
    with pytest.raises(RuntimeError, match="'cpu' device type for generator but found 'cuda'"):
        torch.rand(3, generator=own)


@pytest.mark.parametrize("read", [torch.Tensor.numpy, torch.Tensor.__array__])
def test_numpy_is_refused(cuda, read):
    with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
        read(on_device(3))


@pytest.mark.parametrize(
    ("read", "operation"),
    [
        (lambda x: x.sum().item(), "item"),
        (lambda x: float(x.sum()), "item"),
        (lambda x: bool(x.sum() > 0), "item"),
        (lambda x: x.tolist(), "copy to the host"),
        (lambda x: x.cpu(), "copy to the host"),
        (lambda x: x.nonzero(), "nonzero"),
        (lambda x: x[x > 0], "nonzero of an index"),
        (lambda x: torch.masked_select(x, x > 0), "masked_select"),
        (lambda x: torch.cuda.synchronize(), "synchronize"),
    ],
)
def test_reads_of_the_device_are_counted(cuda, read, operation):
    read(on_device(3))
    assert [(wait.kind, wait.operation) for wait in cuda.waits] == [("read", operation)]


@pytest.mark.parametrize(
    ("copy", "num_waits"),
    [
        (lambda x: x.to("cuda"), 1),
        (lambda x: x.to("cuda", non_blocking=True), 1),
        (lambda x: x.pin_memory().to("cuda"), 1),
        (lambda x: x.pin_memory().to("cuda", non_blocking=True), 0),
        (lambda x: on_device(3).copy_(x.pin_memory(), non_blocking=True), 0),
        (lambda x: move_to_device(x, "cuda"), 0),
        (lambda x: on_device(3).new_tensor([1.0, 2.0]), 1),
        (lambda x: on_device(3)[torch.tensor([1, 2])], 1),
        (lambda x: on_device(3).new_full((), 2.0), 0),
    ],
)
def test_copies_from_memory_that_is_not_pinned_are_counted(cuda, copy, num_waits):
    assert copy(torch.ones(3)).is_cuda
    assert cuda.count("copy") == num_waits
    assert cuda.count("read") == 0


def test_autocast_casts_by_the_table_of_cuda(cuda):
    values = on_device(2, 4, 4)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        product = values @ values
        assert product.dtype == torch.bfloat16
        assert nn.functional.linear(values, on_device(3, 4)).dtype == torch.bfloat16
        assert torch.softmax(product, -1).dtype == torch.float32
        assert nn.functional.layer_norm(product, (4,)).dtype == torch.float32
        one = product[None]
        attended = nn.functional.scaled_dot_product_attention(one, one, one)
        assert attended.dtype == torch.bfloat16
        assert torch.fft.rfft(values).dtype == torch.complex64
        assert (product + values).dtype == torch.float32


def test_the_blur_of_old_is_refused_under_autocast(cuda):
    """The fault that stopped every bf16 preset on its first cine: a bf16 product put in place."""
    clips = torch.rand(3, 2, 12, 12, device="cuda")
    chosen = torch.tensor([0, 2], device="cuda")
    matrices = blur_matrices(12, torch.full((2, 1), 0.5, device="cuda"))[:, None]
    with torch.autocast("cuda", dtype=torch.bfloat16):
        blurred = matrices @ clips[chosen] @ matrices.transpose(2, 3)
        with pytest.raises(RuntimeError, match="expected to have the same dtype"):
            clips.index_copy(0, chosen, blurred)
        with pytest.raises(RuntimeError, match="dtypes match"):
            clips[chosen] = blurred


def test_gradients_optimizer_and_checkpointing_work_and_agree_with_the_cpu(cuda):
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 1))
    moved = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 1))
    moved.load_state_dict(plain.state_dict())
    moved.to("cuda")
    inputs = torch.randn(5, 4)
    for module, values in ((plain, inputs), (moved, inputs.to("cuda"))):
        optimizer = torch.optim.AdamW(module.parameters(), lr=0.1, fused=True)
        for _ in range(3):
            optimizer.zero_grad()
            checkpoint(module, values, use_reentrant=False).square().mean().backward()
            nn.utils.clip_grad_norm_(list(module.parameters()), 1.0)
            optimizer.step()
    for ours, theirs in zip(plain.parameters(), moved.parameters(), strict=True):
        assert theirs.is_cuda
        assert torch.allclose(ours, theirs.cpu(), atol=1e-6)


def test_a_tensor_does_not_outlive_the_device():
    from tests.cuda.pretended.runtime import pretended_cuda

    with pretended_cuda():
        values = on_device(3)
        assert torch.cuda.is_available()
    assert not torch.cuda.is_available()
    assert torch.accelerator.current_accelerator() is None
    with pytest.raises(RuntimeError, match="outlived"):
        values.add(1)
