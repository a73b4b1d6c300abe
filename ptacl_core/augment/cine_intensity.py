"""Brightness, contrast, blur and noise of cine clips, one draw per clip."""

import torch

from ptacl_core.augment.draws import (
    Draws,
    draw_batch_choice,
    draw_choice,
    draw_normal,
    draw_uniform,
    first_row_of,
    generator_of,
)
from ptacl_core.tensors import Float, Tensor, move_to_device


def vary_brightness_contrast(
    clips: Float[Tensor, "batch frame height width"],
    draws: Draws,
    *,
    brightness: float,
    contrast: float,
) -> Float[Tensor, "batch frame height width"]:
    """Multiply by 1 ± brightness, then spread about the clip's mean by 1 ± contrast; [0, 1]."""
    if brightness == 0 and contrast == 0:
        return clips
    shape = (len(clips), 1, 1, 1)
    gain = draw_uniform(shape, 1.0 - brightness, 1.0 + brightness, draws, clips.device)
    spread = draw_uniform(shape, 1.0 - contrast, 1.0 + contrast, draws, clips.device)
    mean = clips.mean(dim=(1, 2, 3), keepdim=True) * gain
    return torch.addcmul(mean * (1.0 - spread), clips, gain * spread).clamp_(0.0, 1.0)


def blur_clips(
    clips: Float[Tensor, "batch frame height width"],
    draws: Draws,
    *,
    sigma_px: tuple[float, float],
    probability: float,
) -> Float[Tensor, "batch frame height width"]:
    """Gaussian blur with a 5 × 5 kernel, σ uniform on `sigma_px`; borders repeat.

    Pixels stay float32 under autocast. On the CPU only the chosen clips are blurred; a GPU
    blurs all and chooses, since asking it how many there are would make the host wait.
    """
    is_blurred = draw_choice(len(clips), probability, draws, clips.device)
    sigma = draw_uniform((len(clips), 1), *sigma_px, draws, clips.device)
    if probability == 0:
        return clips
    with torch.autocast(clips.device.type, enabled=False):
        if clips.device.type != "cpu":
            return torch.where(is_blurred[:, None, None, None], _blur(clips, sigma), clips)
        chosen = is_blurred.nonzero().squeeze(1)
        return clips.index_copy(0, chosen, _blur(clips[chosen], sigma[chosen]))


def _blur(
    clips: Float[Tensor, "batch frame height width"], sigma_px: Float[Tensor, "batch 1"]
) -> Float[Tensor, "batch frame height width"]:
    along_rows = blur_matrices(clips.shape[2], sigma_px)[:, None]
    along_columns = blur_matrices(clips.shape[3], sigma_px)[:, None].transpose(2, 3)
    return along_rows @ clips @ along_columns


def blur_matrices(
    size_px: int, sigma_px: Float[Tensor, "batch 1"], *, reach_px: int = 2
) -> Float[Tensor, "batch size_px size_px"]:
    """Matrices that blur a column of pixels: rows sum to 1, weights beyond the border go to it.

    A blur along one axis is then one batched product, which is faster than five shifted sums.
    """
    device = sigma_px.device
    offsets = torch.arange(-reach_px, reach_px + 1, device=device)
    kernel = torch.exp(-0.5 * (offsets / sigma_px).square())
    kernel = kernel / kernel.sum(dim=1, keepdim=True)
    rows = torch.arange(size_px, device=device)
    columns = (rows[:, None] + offsets).clamp(0, size_px - 1)
    matrices = kernel.new_zeros(len(kernel), size_px, size_px)
    return matrices.scatter_add_(
        2,
        columns.expand(len(kernel), -1, -1),
        kernel[:, None, :].expand(-1, size_px, -1).contiguous(),
    )


def add_noise(
    clips: Float[Tensor, "batch frame height width"],
    draws: Draws,
    *,
    std: float,
    probability: float,
) -> Float[Tensor, "batch frame height width"]:
    """Normal noise on the chosen clips, values kept within [0, 1].

    The CPU draws noise for the chosen clips only, a GPU for all, as in `blur_clips`.
    """
    is_noisy = draw_batch_choice(len(clips), probability, draws, clips.device)
    if probability == 0 or std == 0:
        return clips
    first = first_row_of(draws)
    mine = is_noisy[first : first + len(clips)]
    if clips.device.type != "cpu":
        noise = draw_normal(tuple(clips.shape), draws, clips.device)
        noisy = torch.add(clips, noise, alpha=std).clamp_(0.0, 1.0)
        return torch.where(mine[:, None, None, None], noisy, clips)
    generator = generator_of(draws)
    shape = (int(is_noisy.sum()), *clips.shape[1:])
    noise = torch.randn(shape, generator=generator, device=generator.device)
    before = int(is_noisy[:first].sum())
    chosen = mine.nonzero().squeeze(1)
    noise = move_to_device(noise[before : before + len(chosen)], clips.device)
    noisy = torch.add(clips[chosen], noise, alpha=std).clamp_(0.0, 1.0)
    return clips.index_copy(0, chosen, noisy)
