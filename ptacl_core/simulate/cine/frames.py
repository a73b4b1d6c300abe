"""Rasterised short-axis cine: ventricles over the cycle on a still background (§4.4)."""

import math
from dataclasses import dataclass

import torch

from ptacl_core.config.simulation_cine import SimulatedCineSettings
from ptacl_core.simulate.cine.geometry import HeartGeometry, solve_crescent_width
from ptacl_core.simulate.cine.tissue import (
    TissueTraits,
    coil_gain,
    paint,
    render_background,
    soft_edge,
)
from ptacl_core.tensors import Float, Tensor

WINDOW_PX = 84
"""Side of the window that the cohort holds, in pixels."""

_PAPILLARY_ANGLES_RAD = (math.radians(-42), math.radians(62))
_TWIST_RAD = math.radians(9)


@dataclass(frozen=True, slots=True, eq=False)
class SliceShape:
    """What a slice of the heart looks like over the cycle, in mm; float32 on a device."""

    endocardial_mm: Float[Tensor, "patient frame"]
    epicardial_mm: Float[Tensor, "patient frame"]
    rv_width_mm: Float[Tensor, "patient frame"]
    emptied: Float[Tensor, "patient frame"]
    infarct: Float[Tensor, "patient 2"]
    ellipticity: Float[Tensor, "patient 1"]
    rotation_rad: Float[Tensor, "patient 1"]
    centre_row_mm: Float[Tensor, "patient 1"]
    centre_column_mm: Float[Tensor, "patient 1"]
    lateral_delay_frames: Float[Tensor, "patient 1"]


def shape_slice(
    geometry: HeartGeometry,
    infarct: Float[Tensor, "patient 2"],
    settings: SimulatedCineSettings,
    *,
    device: torch.device,
    height_mm: float = 0.0,
) -> SliceShape:
    """Radii of a slice: the mid slice, or one nearer to the apex (or, below 0, to the base).

    The mid slice is where the bullet's cylinder meets its half ellipsoid; the right ventricle
    ends at 0.8 of the way to the apex.

    Args:
        geometry: both ventricles over the cycle.
        infarct: depth (share of the wall lost) and angle (radians) of a thin sector.
        settings: of the cine.
        device: where the radii go, as float32.
        height_mm: distance of the slice from the mid slice, positive towards the apex.
    """
    apical_mm = max(height_mm, 0.0)
    half_mm = geometry.length_mm / 2
    inner = _ellipsoid_share(apical_mm / half_mm)
    outer = _ellipsoid_share(apical_mm / (half_mm + geometry.wall_mm))
    rv_share = (1 - apical_mm / (0.8 * half_mm)).clamp(min=0)
    epicardial = geometry.epicardial_radius_mm * outer
    width = solve_crescent_width(
        epicardial,
        geometry.rv_area_mm2 * rv_share,
        half_angle_rad=math.radians(settings.rv_half_angle_deg),
        exponent=settings.rv_exponent,
    )

    def place(value: Tensor) -> Tensor:
        return value.to(device, torch.float32)

    return SliceShape(
        endocardial_mm=place(geometry.endocardial_radius_mm * inner),
        epicardial_mm=place(epicardial),
        rv_width_mm=place(width),
        emptied=place(1 - geometry.filled_share),
        infarct=place(infarct),
        ellipticity=place(geometry.ellipticity[:, None]),
        rotation_rad=place(geometry.rotation_rad[:, None]),
        centre_row_mm=place(geometry.centre_row_mm[:, None]),
        centre_column_mm=place(geometry.centre_column_mm[:, None]),
        lateral_delay_frames=place(geometry.lateral_delay_frames[:, None]),
    )


def _ellipsoid_share(share: Float[Tensor, "patient frame"]) -> Float[Tensor, "patient frame"]:
    """Radius of an ellipsoid at a share of its semi-axis, over its largest radius."""
    return torch.sqrt((1 - share * share).clamp(min=0))


def pixel_grid(
    height_px: int,
    width_px: int,
    pixel_mm: float,
    *,
    window_row: int = 0,
    window_column: int = 0,
    device: torch.device,
) -> tuple[Float[Tensor, " pixel"], Float[Tensor, " pixel"]]:
    """Rows and columns in mm from the centre of the 84-pixel window, flattened.

    `window_row` and `window_column` say where the window's first pixel lies in the image.
    """
    middle = (WINDOW_PX - 1) / 2
    row = torch.arange(height_px, dtype=torch.float64) - (window_row + middle)
    column = torch.arange(width_px, dtype=torch.float64) - (window_column + middle)
    rows = (row * pixel_mm)[:, None].expand(height_px, width_px).reshape(-1)
    columns = (column * pixel_mm)[None].expand(height_px, width_px).reshape(-1)
    return rows.to(device, torch.float32), columns.to(device, torch.float32)


def render_slices(
    shape: SliceShape,
    traits: TissueTraits,
    row_mm: Float[Tensor, " pixel"],
    column_mm: Float[Tensor, " pixel"],
    settings: SimulatedCineSettings,
) -> Float[Tensor, "patient frame pixel"]:
    """Noise-free intensities of one slice per patient; every operation stays in its pixel."""
    edge_mm = settings.edge_px * settings.pixel_mm
    radius, septal_angle, across, along = heart_coordinates(shape, row_mm, column_mm)
    half_angle = math.radians(settings.rv_half_angle_deg)
    cosine = torch.cos((septal_angle * (math.pi / 2 / half_angle)).clamp(max=math.pi / 2))
    crescent = torch.exp(settings.rv_exponent * torch.log(cosine.clamp(min=1e-9)))
    crescent = torch.where(septal_angle < half_angle, crescent, torch.zeros_like(crescent))

    outline = shape.epicardial_mm[:, :1] + shape.rv_width_mm[:, :1] * crescent
    still = render_background(row_mm, column_mm, outline - radius, traits)
    image = still[:, None].expand(-1, shape.endocardial_mm.shape[1], -1).clone()
    value = {name: getattr(traits, name)[:, :, None] for name in ("blood", "myocardium")}

    outer = shape.rv_width_mm[:, :, None] * crescent[:, None]
    outer = outer.add_(shape.epicardial_mm[:, :, None]).sub_(radius[:, None])
    rv_wall = settings.rv_wall_mm * (4 * crescent).clamp(max=1)
    image = paint(image, soft_edge(outer + rv_wall[:, None], edge_mm), value["myocardium"])
    image = paint(image, soft_edge(outer, edge_mm), value["blood"])

    late = _share_of_lateral_wall(shape, septal_angle)
    distance = _soft_wall(shape.epicardial_mm, shape, late, edge_mm) - radius[:, None]
    sector = _infarct_sector(shape, across, along, radius)
    wall_mm = shape.epicardial_mm - shape.endocardial_mm
    distance = distance.sub_(wall_mm[:, :, None] * sector[:, None])
    image = paint(image, soft_edge(distance, edge_mm), value["myocardium"])
    image = paint(image, render_cavity(shape, radius, edge_mm, late), value["blood"])
    for cover in _papillary_muscles(shape, across, along, settings, edge_mm):
        image = paint(image, cover, value["myocardium"])
    return image.mul_(coil_gain(row_mm, column_mm, traits)[:, None])


def render_cavity(
    shape: SliceShape,
    radius_mm: Float[Tensor, "patient pixel"],
    edge_mm: float,
    late: Float[Tensor, "patient pixel"] | None = None,
) -> Float[Tensor, "patient frame pixel"]:
    """Share of each pixel inside the LV cavity, papillary muscles included.

    `late` is how far a pixel belongs to the lateral wall (0 at the septum), where it moves late.
    """
    inner = _soft_wall(shape.endocardial_mm, shape, late, edge_mm)
    return soft_edge(inner - radius_mm[:, None], edge_mm)


def add_noise_and_scale(
    image: Float[Tensor, "patient frame pixel"],
    grain: Float[Tensor, "patient 2 frame pixel"],
    settings: SimulatedCineSettings,
) -> Float[Tensor, "patient frame pixel"]:
    """Rician noise from two Gaussian channels, then intensities into [0, 1], in place."""
    real = image.add_(grain[:, 0], alpha=settings.noise_sd)
    imaginary = grain[:, 1].mul_(settings.noise_sd)
    magnitude = real.square_().add_(imaginary.square_()).sqrt_()
    return magnitude.mul_(1 / settings.full_scale).clamp_(0, 1)


def heart_coordinates(
    shape: SliceShape, row_mm: Float[Tensor, " pixel"], column_mm: Float[Tensor, " pixel"]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Elliptic radius, angle from the septum, and the two axes in the heart's own frame."""
    down = row_mm - shape.centre_row_mm
    right = column_mm - shape.centre_column_mm
    cosine, sine = torch.cos(shape.rotation_rad), torch.sin(shape.rotation_rad)
    stretch = 1 + shape.ellipticity
    across = (right * cosine + down * sine) * stretch
    along = (down * cosine - right * sine) / stretch
    radius = torch.sqrt(across * across + along * along)
    septal_angle = torch.acos((-across / radius.clamp(min=1e-6)).clamp(-1, 1))
    return radius, septal_angle, across, along


def _soft_radius(radius_mm: Tensor, edge_mm: float) -> Tensor:
    """Radius whose soft disc has the area of the hard one: R² − π² s² / 3."""
    squared = radius_mm * radius_mm - math.pi**2 / 3 * edge_mm**2
    return torch.where(squared > 0, torch.sqrt(squared.clamp(min=0)), 2 * radius_mm - 4 * edge_mm)


def _share_of_lateral_wall(
    shape: SliceShape, septal_angle: Float[Tensor, "patient pixel"]
) -> Float[Tensor, "patient pixel"] | None:
    """0 at the septum, 1 opposite; None where no wall of the batch moves late."""
    if not bool(shape.lateral_delay_frames.any()):
        return None
    return (1 - torch.cos(septal_angle)) / 2


def _soft_wall(
    radius_mm: Float[Tensor, "patient frame"],
    shape: SliceShape,
    late: Float[Tensor, "patient pixel"] | None,
    edge_mm: float,
) -> Float[Tensor, "patient frame pixel"]:
    """The wall's soft radius at every pixel: half the delay early at the septum, late opposite.

    A patient without delay has the same bits whoever else is in the batch.
    """
    soft = _soft_radius(radius_mm, edge_mm)
    if late is None:
        return soft[:, :, None]
    half = shape.lateral_delay_frames / 2
    early, delayed = (_turn(soft, shift)[:, :, None] for shift in (half, -half))
    blended = early + (delayed - early) * late[:, None]
    return torch.where((half == 0)[:, :, None], soft[:, :, None], blended)


def _turn(
    values: Float[Tensor, "patient frame"], frames: Float[Tensor, "patient 1"]
) -> Float[Tensor, "patient frame"]:
    """Values `frames` later in the cycle, between frames by a line."""
    num_frames = values.shape[1]
    place = torch.arange(num_frames, device=values.device) + frames
    below = place.floor()
    share = place - below
    first = below.long() % num_frames
    return (
        values.gather(1, first) * (1 - share) + values.gather(1, (first + 1) % num_frames) * share
    )


def _infarct_sector(shape: SliceShape, across: Tensor, along: Tensor, radius: Tensor) -> Tensor:
    depth, angle = shape.infarct[:, :1], shape.infarct[:, 1:]
    towards = (across * torch.cos(angle) + along * torch.sin(angle)) / radius.clamp(min=1e-6)
    return depth * ((towards - 0.5) * 4).clamp(0, 1)


def _papillary_muscles(
    shape: SliceShape,
    across: Float[Tensor, "patient pixel"],
    along: Float[Tensor, "patient pixel"],
    settings: SimulatedCineSettings,
    edge_mm: float,
) -> list[Tensor]:
    growth = 1 + settings.papillary_systolic_growth * shape.emptied
    disc = settings.papillary_radius * shape.endocardial_mm * growth
    covers = []
    for base_angle in _PAPILLARY_ANGLES_RAD:
        angle = base_angle - _TWIST_RAD * shape.emptied
        away = settings.papillary_distance * shape.endocardial_mm
        aside = across[:, None] - (away * torch.cos(angle))[:, :, None]
        below = along[:, None] - (away * torch.sin(angle))[:, :, None]
        squared = aside.square_().add_(below.square_())
        inside = (disc * disc)[:, :, None].sub(squared)
        inside = inside.mul_((0.5 / disc.clamp(min=0.2))[:, :, None])
        covers.append(soft_edge(inside, edge_mm))
    return covers
