"""When things happen in the simulated cardiac cycle (simulator.md §4.3); ms from the R peak."""

from pydantic import Field

from ptacl_core.config.model import Settings

Pair = tuple[float, float]


class TimingSettings(Settings):
    """Systolic intervals after Weissler [R], diastole with early filling and atrial kick."""

    pep_intercept_ms: Pair = (131.0, 133.0)
    """Pre-ejection period at heart rate 0 (men, women), ms from the Q wave."""
    pep_heart_rate_slope_ms: float = -0.4
    """Pre-ejection period per bpm, ms."""
    q_to_r_ms: float = 40.0
    """From the Q wave to the R peak, ms: subtracted from the pre-ejection period."""
    pep_low_ef_ms: float = 25.0
    """Pre-ejection period gained for each 0.15 that LVEF lies below 0.55, ms."""
    lvet_intercept_ms: Pair = (413.0, 418.0)
    """Ejection time at heart rate 0 (men, women), ms."""
    lvet_heart_rate_slope_ms: Pair = (-1.7, -1.6)
    """Ejection time per bpm (men, women), ms."""
    lvet_low_ef_ms: float = -25.0
    """Ejection time for each 0.15 that LVEF lies below 0.55, ms [I]."""
    low_ef_threshold: float = 0.55
    """LVEF (fraction) below which the two terms above act."""
    end_systole_sd_ms: float = Field(default=14.0, ge=0)
    """Patient-level SD of end-systole, ms."""
    ejection_exponent: float = Field(default=0.9, gt=0)
    """Exponent of the ejection curve."""
    ivrt_ms: float = 96.0
    """Isovolumic relaxation at 64 years, ms [S: 96 ± 19]."""
    ivrt_age_slope_ms: float = 0.45
    """Isovolumic relaxation per year of age, ms."""
    ivrt_sd_ms: float = Field(default=14.0, ge=0)
    """Patient-level SD of isovolumic relaxation, ms."""
    early_filling_ms: float = Field(default=190.0, gt=0)
    """Length of early filling, ms."""
    early_filling_sd_ms: float = Field(default=12.0, ge=0)
    """SD of early filling's length, ms."""
    early_filling_limit: float = Field(default=0.62, gt=0, le=1)
    """Early filling takes at most this share of the diastole left after mitral opening."""
    atrial_kick_ms: float = Field(default=130.0, gt=0)
    """Length of the atrial kick, which ends the cycle, ms."""
    atrial_kick_sd_ms: float = Field(default=8.0, ge=0)
    """SD of the kick's length, ms."""
    atrial_share: float = 0.30
    """Share of filling by the atrial kick at 64 years; none in atrial fibrillation."""
    atrial_share_age_slope: float = 0.006
    """That share per year of age."""
    atrial_share_sd: float = Field(default=0.05, ge=0)
    """SD of that share."""
    atrial_share_range: Pair = (0.10, 0.55)
    """That share is clipped to this range [I]."""
