"""Who the patients are: covariates and the true volumes of both ventricles (§4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ptacl_core.config.simulation_population import (
    LabelNoiseSettings,
    Pair,
    PopulationSettings,
    StrataSettings,
)
from ptacl_core.simulate.randomness import Stream, draw_normals, draw_uniforms
from ptacl_core.tensors import Bool, Float, Int, Tensor

STRATUM_NAMES = (
    "general",
    "hypertension",
    "athlete",
    "dilated",
    "hypertrophic",
    "infarction",
    "rv_overload",
)
"""Disease strata; `stratum` of a population indexes this."""

_SHIFT_SBP_MMHG = (0.0, 22.0, 0.0, 0.0, 0.0, 0.0, 0.0)
_SHIFT_Z_HEART_RATE = (0.0, 0.0, -1.2, 0.0, 0.0, 0.0, 0.0)
_SHIFT_Z_EDV = (0.0, 0.0, 1.3, 2.2, -0.4, 0.3, 0.0)
_SHIFT_Z_MASS = (0.0, 0.9, 0.5, 0.0, 2.8, 0.0, 0.0)
_SHIFT_LVEF = (0.0, 0.0, -0.01, -0.22, 0.05, -0.11, 0.0)
_SHIFT_RVEF = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.10)


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Covariates and true cardiac quantities, one value per patient, float64 on the host."""

    stratum: Int[Tensor, " patient"]
    is_male: Bool[Tensor, " patient"]
    age_years: Float[Tensor, " patient"]
    height_cm: Float[Tensor, " patient"]
    weight_kg: Float[Tensor, " patient"]
    bmi_kg_m2: Float[Tensor, " patient"]
    body_surface_m2: Float[Tensor, " patient"]
    systolic_bp_mmhg: Float[Tensor, " patient"]
    heart_rate_mri_bpm: Float[Tensor, " patient"]
    heart_rate_ecg_bpm: Float[Tensor, " patient"]
    lvedv_ml: Float[Tensor, " patient"]
    lvesv_ml: Float[Tensor, " patient"]
    lvm_g: Float[Tensor, " patient"]
    rvedv_ml: Float[Tensor, " patient"]
    rvesv_ml: Float[Tensor, " patient"]
    z_bmi: Float[Tensor, " patient"]

    @property
    def lvef(self) -> Float[Tensor, " patient"]:
        """LV ejection fraction (fraction)."""
        return 1 - self.lvesv_ml / self.lvedv_ml

    @property
    def rvef(self) -> Float[Tensor, " patient"]:
        """RV ejection fraction (fraction)."""
        return 1 - self.rvesv_ml / self.rvedv_ml

    def phenotypes(self) -> Float[Tensor, "patient 10"]:
        """The ten true phenotypes in the order of `PHENOTYPE_NAMES`."""
        return assemble_phenotypes(
            lvedv_ml=self.lvedv_ml,
            lvesv_ml=self.lvesv_ml,
            lvm_g=self.lvm_g,
            rvedv_ml=self.rvedv_ml,
            rvesv_ml=self.rvesv_ml,
            heart_rate_bpm=self.heart_rate_mri_bpm,
        )


def choose_by_sex(is_male: Bool[Tensor, " patient"], pair: Pair) -> Float[Tensor, " patient"]:
    """The first number of `pair` for men, the second for women, float64."""
    men, women = torch.tensor(pair, dtype=torch.float64)
    return torch.where(is_male, men, women)


def assemble_phenotypes(
    *,
    lvedv_ml: Float[Tensor, " patient"],
    lvesv_ml: Float[Tensor, " patient"],
    lvm_g: Float[Tensor, " patient"],
    rvedv_ml: Float[Tensor, " patient"],
    rvesv_ml: Float[Tensor, " patient"],
    heart_rate_bpm: Float[Tensor, " patient"],
) -> Float[Tensor, "patient 10"]:
    """Volumes, mass and heart rate to the ten phenotypes: mL, %, L/min and g."""
    lvsv_ml = lvedv_ml - lvesv_ml
    rvsv_ml = rvedv_ml - rvesv_ml
    return torch.stack(
        (
            lvedv_ml,
            lvesv_ml,
            lvsv_ml,
            100 * lvsv_ml / lvedv_ml,
            lvsv_ml * heart_rate_bpm / 1000,
            lvm_g,
            rvedv_ml,
            rvesv_ml,
            rvsv_ml,
            100 * rvsv_ml / rvedv_ml,
        ),
        dim=1,
    )


def draw_population(
    seed: int,
    indices: Sequence[int],
    settings: PopulationSettings,
    strata: StrataSettings,
) -> Population:
    """Draw the patients of a cohort; patient i is a function of (seed, i) and the settings."""
    normals = draw_normals(seed, indices, Stream.POPULATION, 16).unbind(dim=1)
    uniforms = draw_uniforms(seed, indices, Stream.POPULATION, 8).unbind(dim=1)
    noise_age, z_bmi, noise_height, noise_sbp, z_hr, noise_ecg_hr = normals[:6]
    noise_edv, noise_mass, noise_ef, noise_impaired, noise_rv_sv, noise_rvef = normals[6:12]
    stratum = _draw_stratum(uniforms[2], strata)
    is_male = uniforms[0] < settings.male_share

    def of_sex(pair: Pair) -> Tensor:
        return choose_by_sex(is_male, pair)

    def shift(table: tuple[float, ...]) -> Tensor:
        return torch.tensor(table, dtype=torch.float64)[stratum]

    age_years = (settings.age_mean_years + settings.age_sd_years * noise_age).clamp(
        *settings.age_range_years
    )
    z_age = (age_years - settings.age_mean_years) / settings.age_sd_years
    over_64_years = age_years - 64
    bmi = torch.exp(
        torch.log(of_sex(settings.bmi_median_kg_m2)) + of_sex(settings.bmi_log_sd) * z_bmi
    )
    height_cm = (
        of_sex(settings.height_mean_cm)
        + of_sex(settings.height_sd_cm) * noise_height
        + settings.height_age_slope_cm * over_64_years
    )
    weight_kg = bmi * (height_cm / 100) * (height_cm / 100)
    surface_m2 = torch.sqrt(height_cm * weight_kg / 3600)
    excess_sbp = (
        settings.sbp_age_slope_mmhg * over_64_years
        + settings.sbp_bmi_slope_mmhg * z_bmi
        + settings.sbp_sd_mmhg * noise_sbp
        + shift(_SHIFT_SBP_MMHG)
    )
    z_sbp = excess_sbp / settings.sbp_sd_mmhg
    z_hr = z_hr + shift(_SHIFT_Z_HEART_RATE)
    heart_rate_mri = torch.exp(
        torch.log(of_sex(settings.heart_rate_median_bpm)) + settings.heart_rate_log_sd * z_hr
    )
    heart_rate_ecg = (
        settings.ecg_heart_rate_ratio
        * heart_rate_mri
        * torch.exp(settings.ecg_heart_rate_log_sd * noise_ecg_hr)
    )

    z_edv = (
        settings.edv_heart_rate_slope * z_hr
        + settings.edv_age_slope * z_age
        + settings.edv_bmi_slope * z_bmi
        + settings.edv_residual * noise_edv
        + shift(_SHIFT_Z_EDV)
    )
    lvedv_ml = surface_m2 * of_sex(settings.edv_median_ml_m2)
    lvedv_ml = lvedv_ml * torch.exp(of_sex(settings.edv_log_sd) * z_edv)
    z_mass = (
        settings.mass_edv_slope * z_edv
        + settings.mass_sbp_slope * z_sbp
        + settings.mass_bmi_slope * z_bmi
        + settings.mass_residual * noise_mass
        + shift(_SHIFT_Z_MASS)
    )
    lvm_g = surface_m2 * of_sex(settings.mass_median_g_m2)
    lvm_g = lvm_g * torch.exp(of_sex(settings.mass_log_sd) * z_mass)
    z_ef = (
        settings.ef_edv_slope * z_edv
        + settings.ef_sbp_slope * z_sbp
        + settings.ef_residual * noise_ef
    )
    drop = settings.impaired_ef_drop + settings.impaired_ef_drop_sd * noise_impaired.abs()
    lvef = of_sex(settings.ef_mean) + of_sex(settings.ef_sd) * z_ef + shift(_SHIFT_LVEF)
    lvef = torch.where(uniforms[1] < settings.impaired_share, lvef - drop, lvef)
    lvef = lvef.clamp(*settings.ef_range)
    lvesv_ml = lvedv_ml * (1 - lvef)

    rvsv_ml = settings.rv_sv_ratio * (lvedv_ml - lvesv_ml)
    rvsv_ml = rvsv_ml * torch.exp(settings.rv_sv_log_sd * noise_rv_sv)
    z_rvef = (
        settings.rvef_lvef_slope * (lvef - settings.rvef_lvef_centre) / settings.rvef_lvef_sd
        + settings.rvef_residual * noise_rvef
    )
    rvef = of_sex(settings.rvef_mean) + settings.rvef_sd * z_rvef + shift(_SHIFT_RVEF)
    rvedv_ml = rvsv_ml / rvef.clamp(*settings.rvef_range)
    return Population(
        stratum=stratum,
        is_male=is_male,
        age_years=age_years,
        height_cm=height_cm,
        weight_kg=weight_kg,
        bmi_kg_m2=bmi,
        body_surface_m2=surface_m2,
        systolic_bp_mmhg=of_sex(settings.sbp_mean_mmhg) + excess_sbp,
        heart_rate_mri_bpm=heart_rate_mri,
        heart_rate_ecg_bpm=heart_rate_ecg,
        lvedv_ml=lvedv_ml,
        lvesv_ml=lvesv_ml,
        lvm_g=lvm_g,
        rvedv_ml=rvedv_ml,
        rvesv_ml=rvedv_ml - rvsv_ml,
        z_bmi=z_bmi,
    )


def observe_phenotypes(
    seed: int,
    indices: Sequence[int],
    population: Population,
    settings: LabelNoiseSettings,
    *,
    scale: float,
) -> Float[Tensor, "patient 10"]:
    """The phenotypes as an observer's contours give them: multiplicative errors.

    Stroke volumes, fractions and output follow from the erring volumes, as in a real table.
    """
    noise = draw_normals(seed, indices, Stream.LABELS, 8).unbind(dim=1)

    def err(value: Tensor, log_sd: float, draw: Tensor) -> Tensor:
        return value * torch.exp(scale * log_sd * draw)

    lvedv_ml = err(population.lvedv_ml, settings.lvedv, noise[0])
    lvesv_ml = err(population.lvesv_ml, settings.lvesv, noise[1])
    rvedv_ml = err(population.rvedv_ml, settings.rvedv, noise[3])
    rvesv_ml = err(population.rvesv_ml, settings.rvesv, noise[4])
    return assemble_phenotypes(
        lvedv_ml=lvedv_ml,
        lvesv_ml=torch.minimum(lvesv_ml, 0.95 * lvedv_ml),
        lvm_g=err(population.lvm_g, settings.lvm, noise[2]),
        rvedv_ml=rvedv_ml,
        rvesv_ml=torch.minimum(rvesv_ml, 0.95 * rvedv_ml),
        heart_rate_bpm=population.heart_rate_mri_bpm,
    )


def _draw_stratum(
    uniform: Float[Tensor, " patient"], strata: StrataSettings
) -> Int[Tensor, " patient"]:
    stratum = torch.zeros(uniform.shape, dtype=torch.int64)
    reached = 0.0
    for number, name in enumerate(STRATUM_NAMES[1:], start=1):
        weight = float(getattr(strata, name))
        is_in = (uniform >= reached) & (uniform < reached + weight)
        stratum = torch.where(is_in, number, stratum)
        reached += weight
    return stratum
