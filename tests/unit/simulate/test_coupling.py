"""Electromechanical coupling: what the ECG's intervals and the cine's timing share (§4.8)."""

import hashlib
from typing import Any

import numpy as np
import pytest
import torch

from ptacl_core.config.simulation import SimulationSettings, load_cohort_settings
from ptacl_core.simulate import draw_truth, simulate_patients
from ptacl_core.simulate.card import compute_dataset_card
from ptacl_core.simulate.card_text import format_card
from ptacl_core.simulate.timing_truth import (
    collect_timing,
    describe_timing,
    partial_correlation,
)

NUM_PATIENTS = 3000
HASHES_BEFORE_COUPLING = {
    "tiny": "8effe5d5fa281102",
    "demo": "a900b5e62fa41d58",
    "easy": "a7ccede2e68cd69f",
    "bench": "57c2638eaefed738",
}


def settings_of(strength: float, **changes: Any) -> SimulationSettings:
    return load_cohort_settings(
        "timing", num_patients=NUM_PATIENTS, coupling={"strength": strength}, **changes
    )


def correlations_of(settings: SimulationSettings) -> dict[str, float]:
    timing = describe_timing(collect_timing(settings, NUM_PATIENTS), num_train=2000)
    return timing["partial_correlations"]


@pytest.mark.parametrize("name", HASHES_BEFORE_COUPLING)
def test_named_cohorts_have_no_coupling_and_the_hash_they_always_had(name: str) -> None:
    settings = load_cohort_settings(name)
    assert settings.coupling.strength == 0
    assert settings.hash() == HASHES_BEFORE_COUPLING[name]
    assert load_cohort_settings(name, coupling={"strength": 0.5}).hash() != settings.hash()


def test_without_coupling_its_other_settings_change_no_byte() -> None:
    plain = load_cohort_settings("tiny")
    other = load_cohort_settings("tiny", coupling={"kick_delay_ms": 40.0, "pep_per_qrs_ms": 3.0})
    for first, second in zip(
        *(
            (made.cine, made.ecg_mv, made.end_systole_ms, made.pr_ms, made.qt_ms)
            for made in (simulate_patients(plain, [0, 7]), simulate_patients(other, [0, 7]))
        ),
        strict=True,
    ):
        assert hashlib.sha256(first.numpy().tobytes()).digest() == (
            hashlib.sha256(second.numpy().tobytes()).digest()
        )


@pytest.mark.parametrize("strength", [0.8, 1.0])
def test_qt_and_end_systole_correlate_by_the_square_of_the_coupling(strength: float) -> None:
    """Where only the shared deviation acts: no latent in QT, no QRS in ejection."""
    settings = settings_of(
        strength,
        ecg={"qt_couplings_ms": {}, "qt_spread_ms": 18.0},
    ).model_copy(update={"bbb_share": 0.0})
    settings = settings.model_copy(
        update={"coupling": settings.coupling.model_copy(update={"pep_per_qrs_ms": 0.0})}
    )
    correlation = correlations_of(settings)["qt_end_systole"]
    assert correlation == pytest.approx(strength**2, abs=0.03)


def test_the_cohort_timing_is_coupled_in_all_three_mechanisms() -> None:
    correlations = correlations_of(settings_of(0.8))
    assert correlations["qt_end_systole"] == pytest.approx(0.64, abs=0.04)
    assert correlations["pr_kick"] < -0.8  # a longer PR, an earlier kick
    assert correlations["qrs_ejection_start"] > 0.7


def test_no_coupling_and_broken_phase_leave_nothing() -> None:
    limit = 4 / np.sqrt(NUM_PATIENTS)
    for settings in (settings_of(0.0), settings_of(0.8, break_phase=True)):
        assert max(abs(value) for value in correlations_of(settings).values()) < limit


def test_moments_of_time_and_volume_stay_those_of_people() -> None:
    plain = draw_truth(settings_of(0.0), range(1000))
    coupled = draw_truth(settings_of(0.8), range(1000))
    assert torch.equal(plain.phenotypes, coupled.phenotypes)
    for name, tolerance_ms in (("end_systole_ms", 6.0), ("ejection_start_ms", 6.0)):
        before, after = (getattr(truth.timing, name) for truth in (plain, coupled))
        assert abs(float(after.mean() - before.mean())) < tolerance_ms
        assert float(after.std()) == pytest.approx(float(before.std()), rel=0.25)
    kick = coupled.timing.atrial_kick_ms
    assert 90 < float(kick.mean()) < 140
    assert float(kick.min()) > 30
    assert float(plain.intervals.qt_ms.std()) == pytest.approx(
        float(coupled.intervals.qt_ms.std()), rel=0.05
    )


def test_fibrillation_has_no_kick_with_coupling_either() -> None:
    truth = draw_truth(settings_of(0.8, af_share=0.5), range(200))
    is_fibrillating = truth.rhythm.is_fibrillating
    assert 40 < int(is_fibrillating.sum()) < 160
    assert float(truth.timing.atrial_share[is_fibrillating].max()) == 0.0


def test_the_card_tells_correlations_and_what_an_oracle_gains() -> None:
    card = compute_dataset_card(load_cohort_settings("timing", num_patients=400))
    timing = card.get("timing")
    assert timing is not None
    assert timing["coupling"] == 0.8
    assert set(timing["oracle_gain_r2"]) == {"electrical", "mechanical"}
    text = format_card(card)
    assert "QT and end-systole: 0." in text
    assert "| PR, QRS and QT of the ECG |" in text
    assert "timing" not in compute_dataset_card(load_cohort_settings("tiny", num_patients=60))


def test_partial_correlation_in_closed_form() -> None:
    random = np.random.default_rng(0)
    shared, known = random.standard_normal((2, 20000))
    first = shared + 3 * known
    second = shared - 2 * known
    assert partial_correlation(first, second, known[:, None]) == pytest.approx(1.0)
    assert partial_correlation(known, second, known[:, None]) == pytest.approx(0.0, abs=0.05)


def test_in_left_block_the_lateral_wall_moves_late_and_nobody_elses_does() -> None:
    """Read from the pixels: when the cavity is narrowest on the septal and the lateral side."""
    settings = load_cohort_settings("timing", bbb_share=1.0)
    coupled = simulate_patients(settings, range(24))
    uncoupled = load_cohort_settings("timing", bbb_share=1.0, coupling={"strength": 0.0})
    loose = simulate_patients(uncoupled, range(24))
    is_left = np.array([name == "lbbb" for name in coupled.conduction])
    assert 4 < is_left.sum() < 20
    lags = {
        name: np.array([_lag_of_lateral_wall(cine) for cine in made.cine.numpy()])
        for name, made in (("coupled", coupled), ("loose", loose))
    }
    delay = draw_truth(settings, range(24)).geometry.lateral_delay_frames.numpy()
    assert (delay[is_left] >= 0).all()
    assert not delay[~is_left].any()
    assert np.corrcoef(delay[is_left], lags["coupled"][is_left])[0, 1] > 0.9
    assert np.median(lags["coupled"][is_left]) > 0.5
    assert abs(np.median(lags["coupled"][~is_left])) < 0.5
    assert abs(np.median(lags["loose"])) < 0.5


def test_a_heart_without_block_has_the_same_bytes_beside_one_with_it() -> None:
    settings = load_cohort_settings("timing", bbb_share=0.5)
    together = simulate_patients(settings, range(12))
    place = together.conduction.index("normal")
    assert "lbbb" in together.conduction
    alone = simulate_patients(settings, [place])
    assert torch.equal(alone.cine[0], together.cine[place])


def _lag_of_lateral_wall(cine: np.ndarray) -> float:
    """Frames by which the lateral half of the cavity trails the septal half over the cycle."""
    middle = cine.shape[2] // 2
    blood = np.clip(cine, 0.5, 1.0)[:, middle - 14 : middle + 14]
    septal = blood[:, :, middle - 16 : middle].sum(axis=(1, 2))
    lateral = blood[:, :, middle : middle + 16].sum(axis=(1, 2))
    spectra = [np.fft.rfft(side - side.mean())[1] for side in (septal, lateral)]
    phase = np.angle(spectra[0] * np.conj(spectra[1]))
    return float(phase / (2 * np.pi) * len(cine))
