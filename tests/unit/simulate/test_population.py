"""Moments and laws of the simulated population (simulator.md §4.1-4.2)."""

import numpy as np
import pytest
import torch

from ptacl_core.config.simulation import SimulationSettings, load_cohort_settings
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.simulate.moments import PUBLISHED_INDEXED_MOMENTS
from ptacl_core.simulate.population import Population, draw_population, observe_phenotypes

NUM_PATIENTS = 12_000
PROTOTYPE_INDEXED_SD = {
    "lvedv_ml": 12.9,
    "lvesv_ml": 7.7,
    "lvsv_ml": 8.3,
    "lvef_pct": 6.2,
    "lvm_g": 9.2,
    "rvedv_ml": 14.0,
    "rvesv_ml": 8.3,
    "rvsv_ml": 8.2,
    "rvef_pct": 6.4,
}


@pytest.fixture(scope="module")
def people(easy_settings: SimulationSettings) -> Population:
    return draw_population(
        easy_settings.seed, range(NUM_PATIENTS), easy_settings.population, easy_settings.strata
    )


@pytest.fixture(scope="module")
def observed(easy_settings: SimulationSettings, people: Population) -> np.ndarray:
    return observe_phenotypes(
        easy_settings.seed, range(NUM_PATIENTS), people, easy_settings.label_noise, scale=1.0
    ).numpy()


def indexed(observed: np.ndarray, people: Population, name: str) -> np.ndarray:
    values = observed[:, PHENOTYPE_NAMES.index(name)]
    return values if name.endswith("_pct") else values / people.body_surface_m2.numpy()


def correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack((first, second)))[0, 1])


@pytest.mark.parametrize("name", PHENOTYPE_NAMES)
def test_means_per_body_surface_are_the_published_ones_within_3_percent(
    name: str, observed: np.ndarray, people: Population
) -> None:
    published, _ = PUBLISHED_INDEXED_MOMENTS[name]
    assert indexed(observed, people, name).mean() == pytest.approx(published, rel=0.03)


@pytest.mark.parametrize(("name", "expected"), PROTOTYPE_INDEXED_SD.items())
def test_spreads_are_those_of_the_equations(
    name: str, expected: float, observed: np.ndarray, people: Population
) -> None:
    assert indexed(observed, people, name).std() == pytest.approx(expected, rel=0.04)
    _, published = PUBLISHED_INDEXED_MOMENTS[name]
    assert indexed(observed, people, name).std() == pytest.approx(published, rel=0.09)


@pytest.mark.parametrize(
    ("name", "men", "women"),
    [
        ("lvedv_ml", 162, 125),
        ("lvesv_ml", 67, 49),
        ("lvm_g", 107, 73),
        ("rvedv_ml", 153, 114),
        ("lvco_l_min", 5.8, 4.9),
    ],
)
def test_men_and_women_differ_as_published(
    name: str, men: float, women: float, observed: np.ndarray, people: Population
) -> None:
    values = observed[:, PHENOTYPE_NAMES.index(name)]
    is_male = people.is_male.numpy()
    assert values[is_male].mean() == pytest.approx(men, rel=0.03)
    assert values[~is_male].mean() == pytest.approx(women, rel=0.03)


def test_covariates_have_their_published_centre(people: Population) -> None:
    assert float(people.is_male.double().mean()) == pytest.approx(0.48, abs=0.015)
    assert float(people.age_years.mean()) == pytest.approx(64.2, abs=0.3)
    assert float(people.age_years.min()) >= 45
    assert float(people.age_years.max()) <= 82
    assert float(people.bmi_kg_m2.median()) == pytest.approx(26.2, abs=0.4)
    metres = people.height_cm / 100
    torch.testing.assert_close(people.weight_kg / metres**2, people.bmi_kg_m2)


def test_heart_rates_of_two_devices_agree_as_measured(people: Population) -> None:
    correlation_of_rates = correlation(people.heart_rate_ecg_bpm, people.heart_rate_mri_bpm)
    assert correlation_of_rates == pytest.approx(0.76, abs=0.02)
    ratio = (people.heart_rate_ecg_bpm / people.heart_rate_mri_bpm).median()
    assert float(ratio) == pytest.approx(1.02, abs=0.01)


def test_phenotypes_obey_their_definitions(observed: np.ndarray, people: Population) -> None:
    for values in (observed, people.phenotypes().numpy()):
        row: dict[str, np.ndarray] = dict(zip(PHENOTYPE_NAMES, values.T, strict=True))
        for side in ("lv", "rv"):
            end_diastole, end_systole = row[f"{side}edv_ml"], row[f"{side}esv_ml"]
            assert (end_diastole > end_systole).all()
            assert (end_systole > 0).all()
            np.testing.assert_allclose(row[f"{side}sv_ml"], end_diastole - end_systole)
            np.testing.assert_allclose(
                row[f"{side}ef_pct"], 100 * row[f"{side}sv_ml"] / end_diastole
            )
        np.testing.assert_allclose(
            row["lvco_l_min"], row["lvsv_ml"] * people.heart_rate_mri_bpm.numpy() / 1000
        )


def test_both_ventricles_eject_the_same_flow_in_the_contour_convention(
    people: Population,
) -> None:
    row = dict(zip(PHENOTYPE_NAMES, people.phenotypes().T, strict=True))
    log_ratio = torch.log(row["rvsv_ml"] / row["lvsv_ml"])
    assert float(torch.exp(log_ratio.mean())) == pytest.approx(0.914, rel=0.005)
    assert float(log_ratio.std()) == pytest.approx(0.06, rel=0.05)


@pytest.mark.parametrize(
    ("first", "second", "expected", "tolerance"),
    [
        ("lvedv_ml", "lvm_g", 0.75, 0.05),
        ("lvedv_ml", "rvedv_ml", 0.89, 0.04),
        ("lvedv_ml", "lvesv_ml", 0.85, 0.05),
        ("lvef_pct", "lvesv_ml", -0.67, 0.05),
        ("lvsv_ml", "rvsv_ml", 0.84, 0.05),
        ("lvef_pct", "rvef_pct", 0.42, 0.06),
    ],
)
def test_phenotypes_correlate_as_in_the_prototype(
    first: str, second: str, expected: float, tolerance: float, observed: np.ndarray
) -> None:
    columns = [PHENOTYPE_NAMES.index(name) for name in (first, second)]
    correlation = np.corrcoef(observed[:, columns].T)[0, 1]
    assert correlation == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("name", "reliability"),
    [("lvedv_ml", 0.98), ("lvesv_ml", 0.93), ("lvsv_ml", 0.90), ("lvef_pct", 0.73),
     ("rvsv_ml", 0.86), ("rvef_pct", 0.67)],
)  # fmt: skip
def test_observer_error_leaves_the_published_reliability(
    name: str, reliability: float, observed: np.ndarray, people: Population
) -> None:
    column = PHENOTYPE_NAMES.index(name)
    true = people.phenotypes().numpy()[:, column]
    assert np.corrcoef(true, observed[:, column])[0, 1] ** 2 == pytest.approx(reliability, abs=0.02)


def test_without_observer_error_the_labels_are_the_truth(
    easy_settings: SimulationSettings,
) -> None:
    people = draw_population(3, range(50), easy_settings.population, easy_settings.strata)
    exact = observe_phenotypes(3, range(50), people, easy_settings.label_noise, scale=0.0)
    torch.testing.assert_close(exact, people.phenotypes())


def test_strata_shift_what_they_are_named_for() -> None:
    plain = load_cohort_settings("tiny")
    people = {}
    for name in ("hypertension", "athlete", "dilated", "hypertrophic", "rv_overload"):
        settings = load_cohort_settings("tiny", strata={name: 1.0})
        people[name] = draw_population(1, range(400), settings.population, settings.strata)
    base = draw_population(1, range(400), plain.population, plain.strata)
    assert (base.stratum == 0).all()
    assert (people["hypertension"].systolic_bp_mmhg > base.systolic_bp_mmhg + 20).all()
    assert (people["athlete"].heart_rate_mri_bpm < base.heart_rate_mri_bpm).all()
    assert (people["athlete"].lvedv_ml > base.lvedv_ml).all()
    assert (people["dilated"].lvef < base.lvef).all()
    assert (people["dilated"].lvedv_ml > base.lvedv_ml).all()
    assert (people["hypertrophic"].lvm_g > base.lvm_g).all()
    assert (people["rv_overload"].rvedv_ml > base.rvedv_ml).all()
