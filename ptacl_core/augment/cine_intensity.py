"""Brightness, contrast, blur and noise of cine clips, one draw per clip."""

import torch

from ptacl_core.augment.draws import draw_choice, draw_normal, draw_uniform
from ptacl_core.tensors import Float, Generator, Tensor


def vary_brightness_contrast(
    clips: Float[Tensor, "batch frame height width"],
    generator: Generator,
    *,
    brightness: float,
    contrast: float,
) -> Float[Tensor, "batch frame height width"]:
    """Multiply by 1 ± brightness, then spread about the clip's mean by 1 ± contrast; [0, 1]."""
    if brightness == 0 and contrast == 0:
        return clips
    shape = (len(clips), 1, 1, 1)
    gain = draw_uniform(shape, 1.0 - brightness, 1.0 + brightness, generator, clips.device)
    spread = draw_uniform(shape, 1.0 - contrast, 1.0 + contrast, generator, clips.device)
    mean = clips.mean(dim=(1, 2, 3), keepdim=True) * gain
    return torch.addcmul(mean * (1.0 - spread), clips, gain * spread).clamp_(0.0, 1.0)


def blur_clips(
    clips: Float[Tensor, "batch frame height width"],
    generator: Generator,
    *,
    sigma_px: tuple[float, float],
    probability: float,
) -> Float[Tensor, "batch frame height width"]:
    """Gaussian blur with a 5 × 5 kernel, σ uniform on `sigma_px`; borders repeat."""
    is_blurred = draw_choice(len(clips), probability, generator, clips.device)
    sigma = draw_uniform((len(clips), 1), *sigma_px, generator, clips.device)
    if probability == 0:
        return clips
    chosen = is_blurred.nonzero().squeeze(1)
    originals = clips[chosen]
    along_rows = blur_matrices(originals.shape[2], sigma[chosen])[:, None]
    along_columns = blur_matrices(originals.shape[3], sigma[chosen])[:, None].transpose(2, 3)
    return clips.index_copy(0, chosen, along_rows @ originals @ along_columns)


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
    generator: Generator,
    *,
    std: float,
    probability: float,
) -> Float[Tensor, "batch frame height width"]:
    """Normal noise on the chosen clips, values kept within [0, 1]."""
    is_noisy = draw_choice(len(clips), probability, generator, clips.device)
    if probability == 0 or std == 0:
        return clips
    chosen = is_noisy.nonzero().squeeze(1)
    noise = draw_normal((len(chosen), *clips.shape[1:]), generator, clips.device)
    noisy = torch.add(clips[chosen], noise, alpha=std).clamp_(0.0, 1.0)
    return clips.index_copy(0, chosen, noisy)
