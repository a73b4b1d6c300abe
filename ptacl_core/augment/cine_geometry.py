"""Crop, rotation and flip of cine clips as one resampling per clip."""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from ptacl_core.augment.draws import Draws, draw_choice, draw_uniform
from ptacl_core.tensors import Bool, Float, Tensor


@dataclass(frozen=True)
class ClipGeometry:
    """Where the output square lies in each clip, in coordinates from −1 to 1.

    Attributes:
        half_size: half the crop's (width, height); 1 is the whole image.
        centre: (column, row) of the crop's centre.
        angle_rad: rotation about the image's centre, counter-clockwise on the screen.
        is_flipped: left and right exchanged.
        is_upended: top and bottom exchanged.
    """

    half_size: Float[Tensor, "batch 2"]
    centre: Float[Tensor, "batch 2"]
    angle_rad: Float[Tensor, " batch"]
    is_flipped: Bool[Tensor, " batch"]
    is_upended: Bool[Tensor, " batch"]


def draw_clip_geometry(
    batch_size: int,
    draws: Draws,
    device: torch.device,
    *,
    crop_scale: tuple[float, float],
    crop_ratio: tuple[float, float],
    rotation_deg: float,
    flip_probability: float,
    vertical_flip_probability: float,
) -> ClipGeometry:
    """Area uniform on `crop_scale`, log-uniform ratio, place uniform inside, angle ±rotation."""
    area = draw_uniform((batch_size,), *crop_scale, draws, device)
    low, high = math.log(crop_ratio[0]), math.log(crop_ratio[1])
    root_ratio = draw_uniform((batch_size,), low, high, draws, device).mul(0.5).exp()
    half_size = torch.stack((area.sqrt() * root_ratio, area.sqrt() / root_ratio), dim=1)
    half_size = half_size.clamp(max=1.0)
    centre = draw_uniform((batch_size, 2), -1.0, 1.0, draws, device) * (1.0 - half_size)
    angle = draw_uniform((batch_size,), -rotation_deg, rotation_deg, draws, device)
    return ClipGeometry(
        half_size,
        centre,
        angle.deg2rad(),
        draw_choice(batch_size, flip_probability, draws, device),
        draw_choice(batch_size, vertical_flip_probability, draws, device),
    )


def resample_clips(
    clips: Float[Tensor, "batch frame height width"], geometry: ClipGeometry
) -> Float[Tensor, "batch frame height width"]:
    """Bilinear resampling to the same size; outside the image is 0, the same for all frames."""
    sign = 1.0 - 2.0 * torch.stack((geometry.is_flipped, geometry.is_upended), dim=1).float()
    scale = geometry.half_size * sign
    cosine, sine = geometry.angle_rad.cos(), geometry.angle_rad.sin()
    rotation = torch.stack(
        (torch.stack((cosine, -sine), dim=1), torch.stack((sine, cosine), dim=1)), dim=1
    )
    matrix = rotation * scale[:, None, :]
    shift = torch.bmm(rotation, geometry.centre[:, :, None])
    grid = functional.affine_grid(
        torch.cat((matrix, shift), dim=2), list(clips.shape), align_corners=False
    )
    return functional.grid_sample(
        clips, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
