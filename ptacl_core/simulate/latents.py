"""What the ECG shows of the heart: noisy views g of eight standardised quantities z (§4.5)."""

from collections.abc import Sequence

import torch

from ptacl_core.config.simulation_population import LatentSettings, Pair
from ptacl_core.simulate.population import Population
from ptacl_core.simulate.randomness import Stream, draw_normals
from ptacl_core.tensors import Float, Tensor

LATENT_NAMES = ("lvedv", "lvm", "lvef", "rvedv", "rvef", "sex", "age", "bmi")
"""Order of the latents' last axis."""


def standardise_targets(
    population: Population, settings: LatentSettings
) -> Float[Tensor, "patient 8"]:
    """z: the eight quantities in SDs of the default population, pooled over the sexes."""

    def z(value: Tensor, moments: Pair) -> Tensor:
        return (value - moments[0]) / moments[1]

    return torch.stack(
        (
            z(population.lvedv_ml, settings.lvedv_ml),
            z(population.lvm_g, settings.lvm_g),
            z(population.lvef, settings.lvef),
            z(population.rvedv_ml, settings.rvedv_ml),
            z(population.rvef, settings.rvef),
            z(population.is_male.to(torch.float64), settings.sex),
            z(population.age_years, settings.age_years),
            z(torch.log(population.bmi_kg_m2), settings.log_bmi),
        ),
        dim=1,
    )


def draw_visible_latents(
    seed: int,
    indices: Sequence[int],
    targets: Float[Tensor, "patient 8"],
    settings: LatentSettings,
    *,
    kappa_scale: float,
) -> Float[Tensor, "patient 8"]:
    """G = κ z + √(1 − κ²) ε, with κ = min(limit, κ-scale · κ of the target)."""
    noise = draw_normals(seed, indices, Stream.LATENTS, len(LATENT_NAMES))
    kappa = torch.tensor(
        [
            min(settings.kappa_limit, kappa_scale * float(getattr(settings.kappa, name)))
            for name in LATENT_NAMES
        ],
        dtype=torch.float64,
    )
    return kappa * targets + torch.sqrt(1 - kappa * kappa) * noise
