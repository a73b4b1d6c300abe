"""What lies around the heart in a short-axis slice, still over the cycle (§4.4).

The septum is at the left of the image, the chest wall at the top, the diaphragm at the bottom.
Everything is elementwise in the pixel's place, so that a pixel does not depend on the batch or
on the size of the field of view.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ptacl_core.config.simulation_cine import SimulatedCineSettings
from ptacl_core.simulate.randomness import Stream, draw_normals, draw_uniforms
from ptacl_core.tensors import Float, Tensor

_NUM_RIPPLES = 8


@dataclass(frozen=True, slots=True, eq=False)
class TissueTraits:
    """Per-patient intensities and places of what surrounds the heart; mm from the window."""

    blood: Float[Tensor, "patient 1"]
    myocardium: Float[Tensor, "patient 1"]
    fat: Float[Tensor, "patient 1"]
    liver: Float[Tensor, "patient 1"]
    lung: Float[Tensor, "patient 1"]
    torso: Float[Tensor, "patient 4"]
    fat_thickness_mm: Float[Tensor, "patient 1"]
    diaphragm_mm: Float[Tensor, "patient 2"]
    aorta_mm: Float[Tensor, "patient 3"]
    ripple_row: Float[Tensor, "patient ripple"]
    ripple_column: Float[Tensor, "patient ripple"]
    ripple_phase: Float[Tensor, "patient ripple"]
    bias_row: Float[Tensor, "patient 1"]
    bias_column: Float[Tensor, "patient 1"]
    epicardial_fat_mm: Float[Tensor, "patient 1"]


def draw_tissue(
    seed: int,
    indices: Sequence[int],
    z_bmi: Float[Tensor, " patient"],
    settings: SimulatedCineSettings,
) -> TissueTraits:
    """Intensities with their spread, body outline by BMI, organs, texture and coil bias."""
    normals = draw_normals(seed, indices, Stream.TISSUE, 20)
    uniforms = draw_uniforms(seed, indices, Stream.TISSUE, 4 + 3 * _NUM_RIPPLES)
    noise = normals[:, :, None].unbind(dim=1)
    z = z_bmi[:, None]

    def intensity(value: float, draw: Tensor) -> Tensor:
        return value * torch.exp(settings.intensity_log_sd * draw)

    angle = 2 * torch.pi * uniforms[:, 4 : 4 + _NUM_RIPPLES]
    wavelength_mm = 24 + 46 * uniforms[:, 4 + _NUM_RIPPLES : 4 + 2 * _NUM_RIPPLES]
    wave_number = 2 * torch.pi / wavelength_mm
    half_window_mm = 42 * settings.pixel_mm
    bias = settings.coil_bias * (0.3 + 0.7 * uniforms[:, 0:1]) / half_window_mm
    bias_angle = torch.pi * (uniforms[:, 1:2] - 0.5)
    return TissueTraits(
        blood=intensity(settings.intensity_blood, noise[0]),
        myocardium=intensity(settings.intensity_myocardium, noise[1]),
        fat=intensity(settings.intensity_fat, noise[2]),
        liver=intensity(settings.intensity_liver, noise[3]),
        lung=intensity(settings.intensity_lung, noise[4]),
        torso=torch.cat(
            (
                30 + 5 * noise[5],
                -38 + 6 * noise[6],
                (108 + 5 * noise[7] + 6 * z).clamp(min=80),
                (165 + 6 * noise[8] + 9 * z).clamp(min=120),
            ),
            dim=1,
        ),
        fat_thickness_mm=(
            settings.fat_thickness_mm + settings.fat_thickness_bmi_mm * z + 1.5 * noise[9]
        ).clamp(min=4),
        diaphragm_mm=torch.cat((43 + 4 * noise[10], -14 + 10 * noise[11]), dim=1),
        aorta_mm=torch.cat((54 + 4 * noise[12], 54 + 4 * noise[13], 11 + noise[14]), dim=1),
        ripple_row=wave_number * torch.sin(angle),
        ripple_column=wave_number * torch.cos(angle),
        ripple_phase=2 * torch.pi * uniforms[:, 4 + 2 * _NUM_RIPPLES :],
        bias_row=-bias * torch.cos(bias_angle),
        bias_column=bias * torch.sin(bias_angle),
        epicardial_fat_mm=(5 + 1.5 * z + noise[15]).clamp(min=1.5),
    )


def soft_edge(distance_mm: Float[Tensor, "*shape"], scale_mm: float) -> Float[Tensor, "*shape"]:
    """Share of a pixel inside an edge at signed distance (positive: inside), in place.

    The logistic function by exp and a reciprocal: torch.sigmoid rounds differently in the tail
    of an array, and a patient's bits would depend on the batch.
    """
    return distance_mm.mul_(-1 / scale_mm).clamp_(-60, 60).exp_().add_(1).reciprocal_()


def paint(
    image: Float[Tensor, "*shape"], cover: Float[Tensor, "*shape"], value: Tensor
) -> Float[Tensor, "*shape"]:
    """`image` with `value` where `cover` is 1, mixed in between, in place."""
    return image.add_((value - image).mul_(cover))


def render_background(
    row_mm: Float[Tensor, " pixel"],
    column_mm: Float[Tensor, " pixel"],
    heart_radius_mm: Float[Tensor, "patient pixel"],
    traits: TissueTraits,
) -> Float[Tensor, "patient pixel"]:
    """Lung, chest wall, diaphragm with liver and stomach, aorta and epicardial fat.

    `heart_radius_mm` is the signed distance of a pixel from the outline of the heart at
    end-diastole, positive inside.
    """
    first, second = _textures(row_mm, column_mm, traits)
    image = (traits.lung * (1 + 0.5 * first)).expand_as(heart_radius_mm).clone()
    vessels = soft_edge((second - 0.55) * 10, 1.2)
    image = paint(image, vessels * 0.45, traits.liver)

    dome_mm = row_mm - traits.diaphragm_mm[:, :1]
    from_top = column_mm - traits.diaphragm_mm[:, 1:]
    dome_mm = dome_mm - 0.0035 * from_top * from_top
    organ = traits.liver * (1 + 0.25 * first)
    gas = soft_edge(column_mm - 22 + 14 * second, 4.0)
    organ = organ + gas * (traits.fat * 0.75 - organ) * (0.5 + 0.5 * second)
    image = paint(image, soft_edge(dome_mm.clone(), 1.5), organ)
    rim = soft_edge(3.0 - (dome_mm - 2).abs(), 1.0)
    image = paint(image, rim * 0.45, traits.fat)

    fat_ring = soft_edge(heart_radius_mm + traits.epicardial_fat_mm * (1 + 0.6 * first), 1.2)
    image = paint(image, fat_ring, traits.fat * (0.80 + 0.25 * second))

    aorta_row, aorta_column, aorta_radius = traits.aorta_mm.split(1, dim=1)
    from_aorta = torch.sqrt(_square(row_mm - aorta_row) + _square(column_mm - aorta_column))
    image = paint(image, soft_edge(aorta_radius + 1.8 - from_aorta, 0.8), traits.myocardium)
    image = paint(image, soft_edge(aorta_radius - from_aorta, 0.8), traits.blood)

    torso_row, torso_column, half_height, half_width = traits.torso.split(1, dim=1)
    scaled_row, scaled_column = (row_mm - torso_row), (column_mm - torso_column) / half_width
    radius = torch.sqrt(_square(scaled_row / half_height) + _square(scaled_column))
    depth_mm = (1 - radius) * half_height
    muscle_mm = 11 + 3 * first
    wall = soft_edge(traits.fat_thickness_mm + muscle_mm - depth_mm, 1.2)
    image = paint(image, wall, traits.liver * (0.95 + 0.2 * second))
    image = paint(
        image,
        soft_edge(traits.fat_thickness_mm + 2 * first - depth_mm, 1.0),
        traits.fat * (1 + 0.08 * second),
    )
    return paint(image, soft_edge(-depth_mm, 1.0), torch.zeros_like(traits.lung))


def coil_gain(
    row_mm: Float[Tensor, " pixel"], column_mm: Float[Tensor, " pixel"], traits: TissueTraits
) -> Float[Tensor, "patient pixel"]:
    """Linear sensitivity of the surface coils, brighter towards the chest wall."""
    return (1 + traits.bias_row * row_mm + traits.bias_column * column_mm).clamp(0.4, 1.6)


def _textures(
    row_mm: Float[Tensor, " pixel"], column_mm: Float[Tensor, " pixel"], traits: TissueTraits
) -> tuple[Tensor, Tensor]:
    """Two smooth random fields of about unit range."""
    fields = []
    for start in (0, _NUM_RIPPLES // 2):
        field = torch.zeros_like(traits.ripple_row[:, :1] * row_mm)
        for ripple in range(start, start + _NUM_RIPPLES // 2):
            number = slice(ripple, ripple + 1)
            place = traits.ripple_row[:, number] * row_mm
            place = place + traits.ripple_column[:, number] * column_mm
            field = field + torch.cos(place + traits.ripple_phase[:, number])
        fields.append(field * 0.35)
    return fields[0], fields[1]


def _square(value: Tensor) -> Tensor:
    return value * value
