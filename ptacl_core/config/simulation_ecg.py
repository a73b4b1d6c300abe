"""The simulated 12-lead ECG: a moving dipole of Gaussian waves (simulator.md §4.5).

Axes are Frank's: X to the left, Y downwards, Z to the back. `couplings` are per SD of the
visible latents `lvedv lvm lvef rvedv rvef sex age bmi`.
"""

from typing import Literal

from pydantic import Field

from ptacl_core.config.model import Settings

Vector = tuple[float, float, float]
Couplings = dict[Literal["lvedv", "lvm", "lvef", "rvedv", "rvef", "sex", "age", "bmi"], float]


class WaveSettings(Settings):
    """One Gaussian wave of the dipole."""

    direction: Vector
    """Direction (X, Y, Z), not normalised."""
    amplitude_mv: float
    """Amplitude at latents 0, mV."""
    couplings: Couplings = Field(default={})
    """Change of log amplitude (of amplitude share when `is_linear`) per SD of a latent."""
    spread: float = 0.0
    """Patient-level SD of log amplitude (mV when `is_linear`)."""
    is_linear: bool = False
    """Couplings add to 1 and the spread adds in mV, instead of acting on log amplitude."""
    anchor: Literal["r_peak", "p_onset", "qrs_duration", "t_end"]
    """What `offset` counts from: R peak in ms (scaled with QRS duration over 91 ms), P onset in
    P durations, R peak in QRS durations, T end in ms."""
    offset: float
    """Centre of the wave, in the anchor's unit."""
    width: float
    """Gaussian SD: ms (scaled with QRS duration for `r_peak`), or P durations for `p_onset`."""


def default_waves() -> dict[str, WaveSettings]:
    """The wave table of simulator.md §4.5."""
    return {
        "q": WaveSettings(
            direction=(-0.45, 0.10, -0.75),
            amplitude_mv=0.22,
            couplings={"lvm": 0.14, "lvedv": -0.06},
            spread=0.15,
            anchor="r_peak",
            offset=-17.0,
            width=6.5,
        ),
        "r": WaveSettings(
            direction=(0.80, 0.50, 0.22),
            amplitude_mv=1.30,
            couplings={"lvm": 0.12, "lvedv": 0.03, "bmi": -0.07, "age": -0.05},
            spread=0.15,
            anchor="r_peak",
            offset=0.0,
            width=9.0,
        ),
        "s": WaveSettings(
            direction=(-0.15, -0.25, 0.90),
            amplitude_mv=0.75,
            couplings={"lvedv": 0.16, "lvm": 0.06},
            spread=0.10,
            anchor="r_peak",
            offset=19.0,
            width=9.0,
        ),
        "rv": WaveSettings(
            direction=(-0.55, 0.15, -0.70),
            amplitude_mv=0.26,
            couplings={"rvedv": 0.20, "lvm": -0.10},
            spread=0.10,
            anchor="r_peak",
            offset=9.0,
            width=8.0,
        ),
        "p1": WaveSettings(
            direction=(0.45, 0.75, -0.35),
            amplitude_mv=0.085,
            couplings={"rvedv": 0.10},
            spread=0.15,
            anchor="p_onset",
            offset=0.36,
            width=0.16,
        ),
        "p2": WaveSettings(
            direction=(0.70, 0.45, 0.40),
            amplitude_mv=0.075,
            couplings={"lvedv": 0.10, "bmi": 0.08},
            spread=0.15,
            anchor="p_onset",
            offset=0.66,
            width=0.18,
        ),
        "j": WaveSettings(
            direction=(0.5, 0.4, -0.6),
            amplitude_mv=0.045,
            couplings={"sex": 0.8},
            spread=0.02,
            is_linear=True,
            anchor="qrs_duration",
            offset=0.62,
            width=18.0,
        ),
        "t": WaveSettings(
            direction=(0.75, 0.45, -0.48),
            amplitude_mv=0.40,
            couplings={"lvm": -0.12, "lvef": 0.14, "sex": 0.16, "age": -0.11, "bmi": -0.05},
            spread=0.10,
            anchor="t_end",
            offset=-82.0,
            width=30.0,
        ),
        "t2": WaveSettings(
            direction=(0.35, 0.55, -0.70),
            amplitude_mv=0.16,
            couplings={"lvef": 0.14, "rvef": 0.18},
            spread=0.10,
            anchor="t_end",
            offset=-125.0,
            width=50.0,
        ),
    }


class SimulatedEcgSettings(Settings):
    """Waves, intervals, heart position, electrodes and recording."""

    waves: dict[str, WaveSettings] = Field(
        default_factory=default_waves, min_length=1, max_length=24
    )
    """The dipole's waves; `p1` and `p2` are absent in atrial fibrillation."""
    qrs_ms: float = 91.0
    """QRS duration at latents 0, ms."""
    qrs_couplings_ms: Couplings = Field(
        default={
            "sex": 1.2,
            "lvedv": 2.4,
            "lvm": 2.0,
            "rvedv": 1.0,
            "age": 1.0,
        }
    )
    """QRS duration per SD of a latent, ms."""
    qrs_spread_ms: float = 7.0
    """Patient-level SD of QRS duration, ms."""
    qrs_block_ms: float = 45.0
    """QRS duration gained in bundle branch block, ms [I]."""
    qrs_before_r: float = 0.38
    """Share of the QRS that lies before the R peak [I]."""
    pr_ms: float = 162.0
    """PR interval at latents 0 and 63 bpm, ms."""
    pr_couplings_ms: Couplings = Field(default={"age": 7.0, "lvedv": 3.0, "bmi": 2.0})
    """PR interval per SD of a latent, ms."""
    pr_heart_rate_slope_ms: float = -0.25
    """PR interval per bpm, ms."""
    pr_spread_ms: float = 16.0
    """Patient-level SD of the PR interval, ms."""
    pr_long_share: float = Field(default=0.10, ge=0, le=1)
    """Share with first-degree block on top, so that PR > 200 ms in about 8 % [S]."""
    pr_long_ms: float = 45.0
    """PR interval gained there, ms [I]."""
    pr_range_ms: tuple[float, float] = (110.0, 320.0)
    """PR intervals are clipped to this range, ms [I]."""
    p_ms: float = 106.0
    """P duration at latents 0, ms."""
    p_couplings_ms: Couplings = Field(default={"age": 7.0, "bmi": 3.0, "lvedv": 2.0})
    """P duration per SD of a latent, ms."""
    p_spread_ms: float = 6.0
    """Patient-level SD of P duration, ms."""
    qt_ms: float = 413.0
    """QT interval at latents 0 and RR = 1 s, ms."""
    qt_couplings_ms: Couplings = Field(default={"sex": -5.0, "age": 4.0, "lvef": -5.0, "lvm": 3.0})
    """QT interval per SD of a latent, ms."""
    qt_spread_ms: float = 9.0
    """Patient-level SD of the QT interval, ms."""
    frontal_couplings_deg: Couplings = Field(
        default={
            "age": -8.0,
            "bmi": -8.0,
            "rvedv": 5.0,
            "lvm": -3.0,
        }
    )
    """Rotation in the frontal plane (positive: downwards) per SD of a latent, degrees."""
    frontal_spread_deg: float = 9.0
    """Patient-level SD of that rotation, degrees."""
    horizontal_couplings_deg: Couplings = Field(default={"rvef": 6.0, "rvedv": -5.0, "lvedv": 4.0})
    """Rotation in the horizontal plane (positive: to the back) per SD of a latent, degrees."""
    horizontal_spread_deg: float = 8.0
    """Patient-level SD of that rotation, degrees."""
    t_loop_couplings_deg: Couplings = Field(default={"lvm": 10.0, "lvef": -9.0})
    """Rotation of the T loop away from the QRS loop per SD of a latent, degrees."""
    t_loop_spread_deg: float = 6.0
    """Patient-level SD of that rotation, degrees."""
    electrode_gain_sd: float = 0.05
    """SD of each electrode's gain, share."""
    placement_sd: float = 0.06
    """SD of each coefficient of the precordial leads: electrode placement."""
    precordial_bmi_coupling: float = -0.05
    """Log amplitude of V3-V6 per SD of the BMI latent."""
    hidden_bump_mv: tuple[float, float] = (0.020, 0.045)
    """Amplitudes of the ten bumps that hidden energy moves into: first and last, mV."""
    hidden_bump_width_ms: tuple[float, float] = (4.0, 7.0)
    """Their Gaussian SDs: first and last, ms [I]."""
    nuisance_bump_mv: float = 0.07
    """SD of the amplitude of a random bump, mV."""
    nuisance_bump_width_ms: tuple[float, float] = (5.0, 12.0)
    """Range of the Gaussian SD of a random bump, ms [I]."""
    respiration_hz: tuple[float, float] = (0.18, 0.32)
    """Range of the respiratory rate, Hz."""
    respiration_rr: float = 0.03
    """Respiratory sinus arrhythmia: amplitude as a share of RR."""
    slow_wave_rr: float = 0.015
    """0.1 Hz oscillation of RR, share."""
    beat_rr_sd: float = 0.01
    """Beat-to-beat SD of RR, share."""
    af_rr_log_sd: float = 0.22
    """SD of log RR in atrial fibrillation."""
    af_wave_mv: float = 0.03
    """Amplitude of fibrillatory waves (4-8 Hz), mV."""
    respiration_amplitude: float = 0.05
    """Modulation of the ECG's amplitude by breathing, share."""
    wander_mv: float = 0.06
    """Largest baseline wander of a lead (0.05-0.3 Hz), mV."""
    emg_mv: float = 0.015
    """SD of muscle noise, mV."""
    mains_mv: float = 0.008
    """Amplitude of mains hum (50 Hz), mV."""
