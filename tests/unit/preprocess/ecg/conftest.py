"""A phantom ECG with known beats, and the real sample recordings of the repository."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ptacl_core.io import read_ecg
from ptacl_core.records import EcgRecord

SAMPLES = Path(__file__).parents[4] / "assets" / "samples"
SAMPLE_NAMES = (
    "HR06000.hea",
    "HR06004.hea",
    "E07500.hea",
    "JS20000.hea",
    "JS20004.hea",
    "pydicom_waveform_ecg.dcm",
    "philips_1.04_demo.xml",
)

# Rows I, II, V1-V6; columns P, Q, R, S, T in mV.
_WAVES = np.array(
    [
        [0.08, -0.05, 0.8, -0.15, 0.25],
        [0.12, -0.10, 1.1, -0.10, 0.30],
        [0.06, 0.00, 0.25, -1.0, -0.1],
        [0.07, 0.00, 0.5, -1.4, 0.5],
        [0.07, -0.02, 0.9, -0.9, 0.5],
        [0.07, -0.05, 1.3, -0.5, 0.4],
        [0.06, -0.10, 1.4, -0.2, 0.35],
        [0.05, -0.10, 1.1, -0.1, 0.25],
    ]
)


def _twelve_leads(eight: np.ndarray) -> np.ndarray:
    one, two = eight[0], eight[1]
    limb = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    return np.stack([*limb, *eight[2:]])


def build_phantom(
    seed: int = 0,
    *,
    rate_hz: float = 500.0,
    heart_rate_bpm: float = 70.0,
    duration_s: float = 10.0,
    noise_mv: float = 0.02,
    rr_variation: float = 0.02,
    wander_mv: float = 0.1,
    qrs_width: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """A 12-lead ECG in mV that obeys Einthoven's law, and the times of its R waves in s."""
    generator = np.random.default_rng(seed)
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    rr_s = 60.0 / heart_rate_bpm
    beats = [generator.uniform(0, rr_s)]
    while beats[-1] < duration_s + 1.0:
        beats.append(beats[-1] + rr_s * (1 + rr_variation * generator.normal()))
    beat_times = np.array(beats)
    qt_s = 0.38 * np.sqrt(rr_s)
    shapes = [
        (-min(0.16, 0.25 * rr_s), 0.020),
        (-0.028 * qrs_width, 0.008 * qrs_width),
        (0.0, 0.010 * qrs_width),
        (0.030 * qrs_width, 0.009 * qrs_width),
        (0.72 * qt_s, 0.045 * np.sqrt(rr_s)),
    ]
    waves = np.stack(
        [
            np.exp(-0.5 * ((time_s - beat_times[:, None] - centre) / width) ** 2).sum(axis=0)
            for centre, width in shapes
        ]
    )
    amplitudes = _WAVES * generator.uniform(0.7, 1.3, size=_WAVES.shape)
    signal = _twelve_leads(amplitudes @ waves)
    signal += noise_mv * _twelve_leads(generator.normal(size=(8, time_s.size)))
    drift = np.sin(2 * np.pi * 0.25 * time_s + generator.uniform(0, 6))
    signal += wander_mv * _twelve_leads(generator.normal(size=(8, 1)) * drift)
    is_inside = (beat_times >= 0) & (beat_times < duration_s)
    return signal.astype(np.float32), beat_times[is_inside]


@pytest.fixture(scope="session")
def phantom() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    return build_phantom


@pytest.fixture
def as_record() -> Callable[..., EcgRecord]:
    def build(signal_mv: np.ndarray, rate_hz: float = 500.0) -> EcgRecord:
        return EcgRecord(
            signal_mv=np.asarray(signal_mv, np.float32),
            sampling_rate_hz=rate_hz,
            source_format="phantom",
        )

    return build


@pytest.fixture(scope="session")
def real_records() -> dict[str, EcgRecord]:
    return {name: read_ecg(SAMPLES / name) for name in SAMPLE_NAMES}
