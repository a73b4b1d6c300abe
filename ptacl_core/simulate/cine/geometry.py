"""From volumes to shapes: a bullet left ventricle and a crescent right ventricle (§4.4).

The left ventricle is a cylinder capped by half an ellipsoid, V = (5/6) A L with A the area of
the mid slice; its wall has the volume LVM / density in every frame, so that thickening follows
from ejection. The right ventricle clasps it over an angle 2Δ.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ptacl_core.config.simulation_cine import SimulatedCineSettings
from ptacl_core.simulate.population import Population
from ptacl_core.simulate.randomness import Stream, draw_normals
from ptacl_core.tensors import Float, Tensor


@dataclass(frozen=True, slots=True, eq=False)
class HeartGeometry:
    """Both ventricles over the cycle in mm, and how the slice lies; float64 on the host.

    `bullet_radius_mm` and `wall_mm` satisfy the volume equations; `slice_scale` is the slice's
    mismatch, which multiplies the radii that are drawn; `lateral_delay_frames` is by how much the
    lateral wall of the slice moves later than the septum.
    """

    filled_share: Float[Tensor, "patient frame"]
    lv_volume_ml: Float[Tensor, "patient frame"]
    rv_volume_ml: Float[Tensor, "patient frame"]
    length_mm: Float[Tensor, "patient frame"]
    bullet_radius_mm: Float[Tensor, "patient frame"]
    wall_mm: Float[Tensor, "patient frame"]
    slice_scale: Float[Tensor, "patient frame"]
    rv_area_mm2: Float[Tensor, "patient frame"]
    ellipticity: Float[Tensor, " patient"]
    rotation_rad: Float[Tensor, " patient"]
    centre_row_mm: Float[Tensor, " patient"]
    centre_column_mm: Float[Tensor, " patient"]
    lateral_delay_frames: Float[Tensor, " patient"]

    @property
    def endocardial_radius_mm(self) -> Float[Tensor, "patient frame"]:
        """Radius of the cavity in the slice."""
        return self.bullet_radius_mm * self.slice_scale

    @property
    def epicardial_radius_mm(self) -> Float[Tensor, "patient frame"]:
        """Outer radius of the wall in the slice."""
        return (self.bullet_radius_mm + self.wall_mm) * self.slice_scale

    @property
    def lv_area_mm2(self) -> Float[Tensor, "patient frame"]:
        """Area of the cavity in the slice, papillary muscles included."""
        return math.pi * self.endocardial_radius_mm * self.endocardial_radius_mm


def draw_geometry(
    seed: int,
    indices: Sequence[int],
    population: Population,
    filled_share: Float[Tensor, "patient frame"],
    settings: SimulatedCineSettings,
    *,
    slice_mismatch: float,
    lateral_delay_frames: Float[Tensor, " patient"] | None = None,
) -> HeartGeometry:
    """Shapes of the heart in every frame, with the slice's mismatch and position."""
    noise = draw_normals(seed, indices, Stream.CINE, 16)[:, :, None].unbind(dim=1)
    lvedv_ml, lvesv_ml = population.lvedv_ml[:, None], population.lvesv_ml[:, None]
    rvedv_ml, rvesv_ml = population.rvedv_ml[:, None], population.rvesv_ml[:, None]
    lvef = population.lvef[:, None]
    emptied = 1 - filled_share
    lv_volume_ml = lvesv_ml + (lvedv_ml - lvesv_ml) * filled_share
    rv_volume_ml = rvesv_ml + (rvedv_ml - rvesv_ml) * filled_share
    diastolic_length_mm = (
        10 * settings.length_factor * torch.exp(torch.log(lvedv_ml) / 3)
    ) * torch.exp(settings.length_log_sd * noise[0])
    shortening = settings.shortening * lvef * torch.exp(settings.shortening_log_sd * noise[1])
    length_mm = diastolic_length_mm * (1 - shortening * emptied)
    area_mm2 = 1000 * lv_volume_ml / (5 / 6 * length_mm)
    radius_mm = torch.sqrt(area_mm2 / math.pi)
    wall_ml = population.lvm_g[:, None] / settings.myocardial_density_g_ml
    wall_mm = solve_wall_thickness(radius_mm, length_mm, wall_ml)
    log_area = slice_mismatch * (
        settings.area_log_sd * noise[2] + settings.area_systole_log_sd * emptied * noise[3]
    )
    rv_log_area = slice_mismatch * settings.rv_area_log_sd * noise[4]
    rv_area_mm2 = 1000 * rv_volume_ml / (settings.rv_area_length_factor * length_mm)
    flat = [draw[:, 0] for draw in noise]
    return HeartGeometry(
        filled_share=filled_share,
        lv_volume_ml=lv_volume_ml,
        rv_volume_ml=rv_volume_ml,
        length_mm=length_mm,
        bullet_radius_mm=radius_mm,
        wall_mm=wall_mm,
        slice_scale=torch.exp(log_area / 2),
        rv_area_mm2=rv_area_mm2 * torch.exp(rv_log_area),
        ellipticity=settings.ellipticity_sd * flat[5],
        rotation_rad=math.radians(settings.rotation_sd_deg) * flat[6],
        centre_row_mm=settings.pixel_mm * settings.centre_jitter_px * flat[7],
        centre_column_mm=settings.pixel_mm * settings.centre_jitter_px * flat[8],
        lateral_delay_frames=(
            torch.zeros_like(flat[0]) if lateral_delay_frames is None else lateral_delay_frames
        ),
    )


def solve_wall_thickness(
    radius_mm: Float[Tensor, "patient frame"],
    length_mm: Float[Tensor, "patient frame"],
    wall_ml: Float[Tensor, "patient 1"],
) -> Float[Tensor, "patient frame"]:
    """Thickness h with (5/6)π((r + h)²(L + h) − r²L) equal to the wall's volume, by Newton.

    The left side is convex and rising in h, so that steps from above converge; twelve are far
    more than double precision needs.
    """
    target = 1000 * wall_ml * 6 / (5 * math.pi)
    thickness = target / (radius_mm * (radius_mm + 2 * length_mm))
    for _ in range(12):
        outer = radius_mm + thickness
        long = length_mm + thickness
        excess = outer * outer * long - radius_mm * radius_mm * length_mm - target
        thickness = thickness - excess / (2 * outer * long + outer * outer)
    return thickness


def crescent_integrals(half_angle_rad: float, exponent: float) -> tuple[float, float]:
    """∫cosᵖ and ∫cos²ᵖ of πα/2Δ over α in [−Δ, Δ], by their closed form in Γ."""

    def integral(power: float) -> float:
        ratio = math.gamma((power + 1) / 2) / math.gamma(power / 2 + 1)
        return 2 * half_angle_rad / math.sqrt(math.pi) * ratio

    return integral(exponent), integral(2 * exponent)


def solve_crescent_width(
    epicardial_radius_mm: Float[Tensor, "*batch"],
    rv_area_mm2: Float[Tensor, "*batch"],
    *,
    half_angle_rad: float,
    exponent: float,
) -> Float[Tensor, "*batch"]:
    """Width w of the crescent R(θ) = R_epi + w·cosᵖ(πθ/2Δ) that has the given area.

    Area = R_epi·w·I₁ + w²·I₂/2, hence w = (√(R²I₁² + 2 I₂ A) − R I₁) / I₂.
    """
    first, second = crescent_integrals(half_angle_rad, exponent)
    scaled = epicardial_radius_mm * first
    return (torch.sqrt(scaled * scaled + 2 * second * rv_area_mm2) - scaled) / second
