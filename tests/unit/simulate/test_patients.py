"""A patient is a function of (settings, number): the same bytes alone, in any batch, again."""

from dataclasses import fields

import pytest
import torch

from ptacl_core.config.simulation import SimulationSettings, load_cohort_settings
from ptacl_core.simulate import (
    SimulatedPatients,
    draw_truth,
    render_ecgs,
    simulate_patients,
)
from ptacl_core.simulate.randomness import Stream, draw_normals, draw_uniforms


def assert_same_patient(
    first: SimulatedPatients, row: int, second: SimulatedPatients, other: int
) -> None:
    for field in fields(first):
        if field.name == "settings":
            continue
        one, two = getattr(first, field.name)[row], getattr(second, field.name)[other]
        same = torch.equal(one, two) if isinstance(one, torch.Tensor) else one == two
        assert same, field.name


@pytest.mark.parametrize("preset", ["tiny", "bench"])
def test_same_seed_gives_the_same_bytes_alone_and_in_any_batch(preset: str) -> None:
    settings = load_cohort_settings(preset, af_share=0.3, lead_fault_share=0.3)
    together = simulate_patients(settings, range(9))
    shuffled = simulate_patients(settings, [8, 3, 100, 0, 5])
    for row, number in ((0, 8), (1, 3), (3, 0), (4, 5)):
        assert_same_patient(shuffled, row, together, number)
    for number in (0, 4, 7):
        assert_same_patient(simulate_patients(settings, [number]), 0, together, number)


def test_two_threads_change_no_bit(easy_settings: SimulationSettings) -> None:
    threads = torch.get_num_threads()
    alone = simulate_patients(easy_settings, [2, 3])
    try:
        torch.set_num_threads(2)
        shared = simulate_patients(easy_settings, [2, 3])
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(alone.ecg_mv, shared.ecg_mv)
    assert torch.equal(alone.cine, shared.cine)


def test_cohort_size_does_not_change_a_patient(easy_patients: SimulatedPatients) -> None:
    smaller = load_cohort_settings("easy", num_patients=10)
    assert_same_patient(simulate_patients(smaller, [4]), 0, easy_patients, 4)


def test_another_seed_gives_another_patient(easy_patients: SimulatedPatients) -> None:
    other = simulate_patients(load_cohort_settings("easy", seed=1), [0])
    assert not torch.equal(other.ecg_mv[0], easy_patients.ecg_mv[0])
    assert not torch.equal(other.cine[0], easy_patients.cine[0])
    assert not torch.equal(other.phenotypes[0], easy_patients.phenotypes[0])


def test_no_patients_give_empty_arrays(easy_settings: SimulationSettings) -> None:
    nobody = simulate_patients(easy_settings, [])
    assert len(nobody) == 0
    assert nobody.ecg_mv.shape == (0, 12, 5000)
    assert nobody.cine.shape == (0, 50, 84, 84)


def test_kappa_reaches_the_ecg_alone(easy_patients: SimulatedPatients) -> None:
    blind = simulate_patients(load_cohort_settings("easy", kappa_scale=0.0), range(6))
    assert torch.equal(blind.cine, easy_patients.cine)
    assert torch.equal(blind.phenotypes, easy_patients.phenotypes)
    assert all(map(torch.equal, blind.r_peak_samples, easy_patients.r_peak_samples))
    assert not torch.equal(blind.ecg_mv, easy_patients.ecg_mv)


def test_label_noise_reaches_the_labels_alone(easy_patients: SimulatedPatients) -> None:
    exact = simulate_patients(load_cohort_settings("easy", label_noise_scale=0.0), range(6))
    assert torch.equal(exact.phenotypes, exact.true_phenotypes)
    assert torch.equal(exact.true_phenotypes, easy_patients.true_phenotypes)
    assert not torch.equal(easy_patients.phenotypes, easy_patients.true_phenotypes)
    assert torch.equal(exact.ecg_mv, easy_patients.ecg_mv)
    assert torch.equal(exact.cine, easy_patients.cine)


def test_units_and_order_of_what_comes_out(easy_patients: SimulatedPatients) -> None:
    assert easy_patients.ecg_mv.shape == (6, 12, 5000)
    assert easy_patients.ecg_mv.dtype == torch.float32
    assert set(easy_patients.sex) <= {"F", "M"}
    expected_ms = 60_000 / easy_patients.heart_rate_mri_bpm / 50
    torch.testing.assert_close(easy_patients.frame_interval_ms, expected_ms)
    for peaks, rate_bpm in zip(
        easy_patients.r_peak_samples, easy_patients.heart_rate_ecg_bpm, strict=True
    ):
        assert peaks.dtype == torch.int64
        assert (torch.diff(peaks) > 0).all()
        assert int(peaks[0]) >= 0
        assert int(peaks[-1]) < 5000
        mean_rr_s = float(torch.diff(peaks).double().mean()) / 500
        assert 60 / mean_rr_s == pytest.approx(float(rate_bpm), rel=0.05)


@pytest.mark.parametrize("heart_rate_bpm", [38.0, 120.0])
def test_extreme_heart_rates_give_finite_signals(heart_rate_bpm: float) -> None:
    rate = {
        "heart_rate_median_bpm": (heart_rate_bpm, heart_rate_bpm),
        "heart_rate_log_sd": 0.0,
        "ecg_heart_rate_log_sd": 0.0,
    }
    settings = load_cohort_settings("tiny", population=rate, af_share=0.3, pvc_share=0.3)
    patients = simulate_patients(settings, range(6))
    assert torch.isfinite(patients.ecg_mv).all()
    assert torch.isfinite(patients.cine).all()
    assert torch.isfinite(patients.phenotypes).all()
    assert float(patients.ecg_mv.abs().max()) < 10


def test_every_disease_stratum_gives_finite_signals() -> None:
    weights = dict.fromkeys(
        ("hypertension", "athlete", "dilated", "hypertrophic", "infarction", "rv_overload"), 0.16
    )
    settings = load_cohort_settings("tiny", strata=weights)
    truth = draw_truth(settings, range(600))
    assert set(truth.population.stratum.tolist()) == set(range(7))
    assert torch.isfinite(truth.geometry.wall_mm).all()
    assert (truth.geometry.wall_mm > 0).all()
    assert (truth.geometry.rv_area_mm2 > 0).all()
    patients = simulate_patients(settings, range(12))
    assert torch.isfinite(patients.ecg_mv).all()
    assert torch.isfinite(patients.cine).all()


def test_a_truth_can_be_rendered_in_parts(easy_settings: SimulationSettings) -> None:
    whole = render_ecgs(easy_settings, draw_truth(easy_settings, range(5)))
    part = render_ecgs(easy_settings, draw_truth(easy_settings, [3]))
    assert torch.equal(part[0], whole[3])


def test_streams_are_independent() -> None:
    columns = [draw_normals(9, range(4000), stream, 3) for stream in Stream]
    columns += [draw_uniforms(9, range(4000), stream, 3) for stream in Stream]
    correlation = torch.corrcoef(torch.cat(columns, dim=1).T).fill_diagonal_(0)
    assert float(correlation.abs().max()) * 4000**0.5 < 5


def test_draws_have_the_moments_of_their_law() -> None:
    normals = draw_normals(4, range(2000), Stream.WAVES, 10)
    assert float(normals.mean()) == pytest.approx(0, abs=0.03)
    assert float(normals.std()) == pytest.approx(1, abs=0.02)
    uniforms = draw_uniforms(4, range(2000), Stream.WAVES, 10)
    assert float(uniforms.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(uniforms.min()) >= 0
    assert float(uniforms.max()) < 1
