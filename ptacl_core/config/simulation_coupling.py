"""Electromechanical coupling: what the ECG's intervals and the cine's timing share (§4.8)."""

from pydantic import Field

from ptacl_core.config.model import Settings


class CouplingSettings(Settings):
    """How far the electrical and the mechanical timing of one heart go together.

    In people QT and electromechanical systole run parallel over the heart rate (men
    529 − 2.1 HR and 541 − 2.2 HR, women 511 − 1.9 HR and 540 − 2.0 HR; Chest 1981;80:613 [S]).
    """

    strength: float = Field(default=0.0, ge=0, le=1)
    """λ: share of a patient's own deviation that QT and end-systole have in common, and weight
    of the two mechanisms below; 0: nothing is shared, the cohort's bytes are those without."""
    kick_delay_ms: float = Field(default=90.0, gt=0)
    """From the onset of P to the begin of the atrial kick, ms [I]."""
    kick_delay_sd_ms: float = Field(default=10.0, ge=0)
    """Patient-level SD of that delay, ms [I]."""
    pep_per_qrs_ms: float = Field(default=0.5, ge=0)
    """Pre-ejection period gained per ms of QRS beyond `qrs_reference_ms`, ms [I]."""
    lateral_delay_ms: float = Field(default=50.0, gt=0)
    """Median delay of the lateral wall against the septum in left bundle branch block, ms
    (quartiles 30 and 94; Europace 2007;9:41 [S])."""
    lateral_delay_log_sd: float = Field(default=0.85, ge=0)
    """SD of its logarithm, from the quartiles [S]."""
    usual_delay_ms: float = Field(default=17.0, ge=0)
    """Median delay within a left ventricle without block, which is drawn without any, ms [S]."""
    qrs_reference_ms: float = Field(default=91.0, gt=0)
    """QRS duration up to which ejection is not delayed, ms."""
