"""The simulated mid-ventricular short-axis slice (simulator.md §4.4)."""

from pydantic import Field

from ptacl_core.config.model import Settings

Pair = tuple[float, float]


class SimulatedCineSettings(Settings):
    """Bullet-shaped left ventricle, crescent right ventricle, bSSFP intensities."""

    pixel_mm: float = Field(default=1.83, gt=0)
    """In-plane pixel size, mm [R: UK Biobank 1.8]."""
    slice_spacing_mm: float = Field(default=10.0, gt=0)
    """Between slice centres, mm: 8 mm slices, 2 mm gap [R]."""
    length_factor: float = 1.72
    """LV length in cm is this times the cube root of LVEDV in mL."""
    length_log_sd: float = 0.055
    """SD of the log of LV length."""
    shortening: float = 0.26
    """LV length lost over a full ejection, times LVEF."""
    shortening_log_sd: float = 0.22
    """SD of the log of that loss."""
    area_log_sd: float = 0.035
    """SD of the log of the slice's area against the bullet's, all cycle long."""
    area_systole_log_sd: float = 0.035
    """The same, growing with ejection."""
    myocardial_density_g_ml: float = 1.05
    """Density of myocardium, g/mL."""
    rv_area_length_factor: float = 0.80
    """RV area in cm² is RV volume over this times LV length in cm."""
    rv_half_angle_deg: float = 72.0
    """Half the angle over which the RV clasps the LV, degrees."""
    rv_exponent: float = 0.7
    """Exponent of the cosine that shapes the RV."""
    rv_area_log_sd: float = 0.05
    """SD of the log of the RV's area against that of its volume [I]."""
    rv_wall_mm: float = 3.0
    """Thickness of the RV free wall, mm."""
    papillary_distance: float = 0.60
    """Distance of the papillary muscles from the centre, share of the cavity radius."""
    papillary_radius: float = 0.17
    """Radius of the papillary muscles at end-diastole, share of the cavity radius."""
    papillary_systolic_growth: float = 0.25
    """Growth of that share over a full ejection [I]."""
    ellipticity_sd: float = 0.04
    """SD of the slice's ellipticity."""
    centre_jitter_px: float = 1.5
    """SD of the heart centre about the window's centre, pixels."""
    rotation_sd_deg: float = 12.0
    """SD of the heart's rotation in the plane, degrees."""
    infarct_thinning: float = 0.45
    """Wall thickness lost in the sector of an old infarction, share [I]."""
    intensity_blood: float = 0.92
    """bSSFP intensity of blood (flip angle 80°, 1.5 T)."""
    intensity_myocardium: float = 0.34
    """bSSFP intensity of myocardium."""
    intensity_fat: float = 0.75
    """bSSFP intensity of fat."""
    intensity_liver: float = 0.30
    """bSSFP intensity of liver and muscle."""
    intensity_lung: float = 0.18
    """bSSFP intensity of lung."""
    intensity_log_sd: float = 0.05
    """SD of the log of each intensity per patient."""
    coil_bias: float = 0.18
    """Largest linear fall-off of the coils' sensitivity across the window, share."""
    edge_px: float = Field(default=0.45, gt=0)
    """Scale of the logistic partial-volume edge, pixels."""
    noise_sd: float = Field(default=0.045, ge=0)
    """SD of each channel of the Rician noise, share of the intensity range."""
    full_scale: float = Field(default=1.35, gt=0)
    """Intensity that becomes 1 in the output."""
    fat_thickness_mm: float = 16.0
    """Chest-wall fat at median BMI, mm."""
    fat_thickness_bmi_mm: float = 6.0
    """Chest-wall fat per SD of log BMI, mm."""
