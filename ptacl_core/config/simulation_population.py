"""Population, label noise, disease strata and visible latents of the simulator.

Pairs are (men, women). Values reproduce the moments of 36-38 thousand UK Biobank
participants (simulator.md §4.1-4.2) with the prototype's convention for mass and for the
right ventricle.
"""

from pydantic import Field, model_validator

from ptacl_core.config.model import Settings

Pair = tuple[float, float]


class PopulationSettings(Settings):
    """Who the patients are and how large and strong their hearts are (§4.2)."""

    male_share: float = Field(default=0.48, ge=0, le=1)
    """Share of men."""
    age_mean_years: float = 64.2
    """Mean age, years."""
    age_sd_years: float = Field(default=7.7, gt=0)
    """SD of age before clipping, years."""
    age_range_years: Pair = (45.0, 82.0)
    """Ages are clipped to this range, years."""
    bmi_median_kg_m2: Pair = (26.8, 25.7)
    """Median body mass index, kg/m²."""
    bmi_log_sd: Pair = Field(default=(0.145, 0.175))
    """SD of log body mass index."""
    height_mean_cm: Pair = (176.0, 162.7)
    """Mean height at 64 years, cm."""
    height_sd_cm: Pair = (6.6, 6.2)
    """SD of height, cm."""
    height_age_slope_cm: float = -0.08
    """Height lost per year of age, cm."""
    sbp_mean_mmhg: Pair = (139.0, 134.0)
    """Mean systolic pressure at 64 years, mmHg."""
    sbp_age_slope_mmhg: float = 0.55
    """Systolic pressure per year of age, mmHg."""
    sbp_bmi_slope_mmhg: float = 2.0
    """Systolic pressure per SD of log BMI, mmHg."""
    sbp_sd_mmhg: float = Field(default=16.0, gt=0)
    """SD of systolic pressure at given age and BMI, mmHg."""
    heart_rate_median_bpm: Pair = (61.0, 63.5)
    """Median heart rate in the scanner, bpm."""
    heart_rate_log_sd: float = Field(default=0.14, ge=0)
    """SD of log heart rate."""
    ecg_heart_rate_ratio: float = 1.02
    """Median ratio of the heart rate on the ECG to that in the scanner."""
    ecg_heart_rate_log_sd: float = Field(default=0.12, ge=0)
    """SD of the log ratio: two devices, two moments (r ≈ .76) [M]."""
    edv_heart_rate_slope: float = -0.33
    """z of indexed LVEDV per SD of log heart rate."""
    edv_age_slope: float = -0.17
    """z of indexed LVEDV per SD of age."""
    edv_bmi_slope: float = -0.10
    """z of indexed LVEDV per SD of log BMI."""
    edv_residual: float = 0.92
    """z of indexed LVEDV that nothing else explains."""
    edv_median_ml_m2: Pair = (79.4, 70.4)
    """Median LVEDV per body surface, mL/m²."""
    edv_log_sd: Pair = (0.158, 0.150)
    """SD of log indexed LVEDV."""
    mass_edv_slope: float = 0.52
    """z of indexed LV mass per z of indexed LVEDV."""
    mass_sbp_slope: float = 0.22
    """z of indexed LV mass per SD of systolic pressure."""
    mass_bmi_slope: float = 0.20
    """z of indexed LV mass per SD of log BMI."""
    mass_residual: float = 0.80
    """z of indexed LV mass that nothing else explains."""
    mass_median_g_m2: Pair = (51.9, 41.1)
    """Median LV mass per body surface, g/m² (manual-contour convention)."""
    mass_log_sd: Pair = (0.147, 0.140)
    """SD of log indexed LV mass."""
    ef_edv_slope: float = -0.22
    """z of LVEF per z of indexed LVEDV."""
    ef_sbp_slope: float = 0.10
    """z of LVEF per SD of systolic pressure."""
    ef_residual: float = 0.97
    """z of LVEF that nothing else explains."""
    ef_mean: Pair = (0.590, 0.617)
    """Mean LVEF (fraction)."""
    ef_sd: Pair = (0.049, 0.046)
    """SD of LVEF (fraction)."""
    impaired_share: float = Field(default=0.025, ge=0, le=1)
    """Share with impaired ejection."""
    impaired_ef_drop: float = 0.06
    """Least fall of LVEF in the impaired (fraction)."""
    impaired_ef_drop_sd: float = 0.08
    """Half-normal SD of the further fall (fraction)."""
    ef_range: Pair = (0.12, 0.85)
    """LVEF is clipped to this range (fraction) [I]."""
    rv_sv_ratio: float = 0.914
    """RV to LV stroke volume of the contour convention."""
    rv_sv_log_sd: float = 0.06
    """SD of the log of that ratio."""
    rvef_mean: Pair = (0.578, 0.611)
    """Mean RVEF (fraction)."""
    rvef_sd: float = 0.048
    """Scale of RVEF's spread (fraction)."""
    rvef_lvef_slope: float = 0.55
    """z of RVEF per SD of LVEF."""
    rvef_residual: float = 0.80
    """z of RVEF that LVEF does not explain."""
    rvef_lvef_centre: float = 0.602
    """LVEF at which RVEF is at its mean (fraction)."""
    rvef_lvef_sd: float = 0.05
    """SD of LVEF used in that slope (fraction)."""
    rvef_range: Pair = (0.15, 0.85)
    """RVEF is clipped to this range (fraction) [I]."""


class LabelNoiseSettings(Settings):
    """Observer error of the phenotypes: SD of the log of the multiplicative error [M]."""

    lvedv: float = 0.03
    """LV end-diastolic volume."""
    lvesv: float = 0.075
    """LV end-systolic volume."""
    lvm: float = 0.06
    """LV mass."""
    rvedv: float = 0.04
    """RV end-diastolic volume."""
    rvesv: float = 0.08
    """RV end-systolic volume."""


class StrataSettings(Settings):
    """Mixture weights of disease strata; what is left is the plain population [I]."""

    hypertension: float = Field(default=0.0, ge=0, le=1)
    """Systolic pressure +22 mmHg, z of mass +0.9."""
    athlete: float = Field(default=0.0, ge=0, le=1)
    """Heart rate −1.2 SD, z of LVEDV +1.3, z of mass +0.5 beyond it."""
    dilated: float = Field(default=0.0, ge=0, le=1)
    """Dilated cardiomyopathy: z of LVEDV +2.2, LVEF −0.22."""
    hypertrophic: float = Field(default=0.0, ge=0, le=1)
    """Hypertrophic cardiomyopathy: z of mass +2.8, z of LVEDV −0.4, LVEF +0.05."""
    infarction: float = Field(default=0.0, ge=0, le=1)
    """Old myocardial infarction: LVEF −0.11 and a thin sector of the wall."""
    rv_overload: float = Field(default=0.0, ge=0, le=1)
    """Right ventricular overload: RVEF −0.10, which enlarges the RV."""

    @model_validator(mode="after")
    def _check_weights(self) -> "StrataSettings":
        total = sum(share for _, share in self)
        if total > 1:
            raise ValueError(f"the weights of the strata sum to {total:g}, at most 1")
        return self


class KappaSettings(Settings):
    """κ: how far the ECG's latent follows the heart's, 0 to 1, at κ-scale 1 [M]."""

    lvedv: float = 0.41
    """LV end-diastolic volume."""
    lvm: float = 0.80
    """LV mass."""
    lvef: float = 0.60
    """LV ejection fraction."""
    rvedv: float = 0.63
    """RV end-diastolic volume."""
    rvef: float = 0.66
    """RV ejection fraction."""
    sex: float = 0.80
    """Sex."""
    age: float = 0.70
    """Age."""
    bmi: float = 0.60
    """Log body mass index."""


class LatentSettings(Settings):
    """Visible latents g = κ z + √(1 − κ²) ε, and what z is standardised with (§4.5)."""

    kappa: KappaSettings = KappaSettings()
    kappa_limit: float = Field(default=0.98, gt=0, le=1)
    """κ times κ-scale is clipped here."""
    lvedv_ml: Pair = (142.7, 31.9)
    """Mean and SD of LVEDV in the default population, mL."""
    lvm_g: Pair = (89.2, 24.0)
    """Mean and SD of LV mass, g."""
    lvef: Pair = (0.601, 0.053)
    """Mean and SD of LVEF (fraction)."""
    rvedv_ml: Pair = (132.8, 33.5)
    """Mean and SD of RVEDV, mL."""
    rvef: Pair = (0.594, 0.052)
    """Mean and SD of RVEF (fraction)."""
    sex: Pair = (0.48, 0.4996)
    """Mean and SD of being a man."""
    age_years: Pair = (64.2, 7.6)
    """Mean and SD of age, years."""
    log_bmi: Pair = (3.2665, 0.163)
    """Mean and SD of log BMI."""
