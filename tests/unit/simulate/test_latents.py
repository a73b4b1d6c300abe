"""Visible latents: what κ says they carry of the heart, and the ceiling that follows."""

import numpy as np
import pytest
import torch

from ptacl_core.config.simulation import SimulationSettings, load_cohort_settings
from ptacl_core.config.simulation_population import KappaSettings
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.simulate import LATENT_NAMES, PatientTruth
from ptacl_core.simulate.latents import draw_visible_latents
from ptacl_core.simulate.moments import collect_truth, describe_truth

PROTOTYPE_ORACLE = (0.60, 0.54, 0.50, 0.32, 0.45, 0.70, 0.60, 0.59, 0.47, 0.36)


def correlations(first: torch.Tensor, second: torch.Tensor) -> np.ndarray:
    return np.array([np.corrcoef(first[:, column], second[:, column])[0, 1] for column in range(8)])


def test_targets_are_standardised_in_the_default_population(easy_truth: PatientTruth) -> None:
    assert easy_truth.targets.mean(dim=0).abs().max() < 0.08
    torch.testing.assert_close(
        easy_truth.targets.std(dim=0), torch.ones(8, dtype=torch.float64), atol=0.06, rtol=0
    )


def test_each_latent_follows_its_target_by_kappa(
    easy_truth: PatientTruth, easy_settings: SimulationSettings
) -> None:
    count = len(easy_truth.indices)
    visible = draw_visible_latents(
        11, range(count), easy_truth.targets, easy_settings.latents, kappa_scale=1.0
    )
    kappa = KappaSettings().model_dump()
    expected = [kappa[name] for name in LATENT_NAMES]
    np.testing.assert_allclose(correlations(visible, easy_truth.targets), expected, atol=0.05)


def test_kappa_0_shows_nothing_and_large_kappa_is_clipped(
    easy_truth: PatientTruth, easy_settings: SimulationSettings
) -> None:
    indices = range(len(easy_truth.indices))
    latents = easy_settings.latents
    blind = draw_visible_latents(11, indices, easy_truth.targets, latents, kappa_scale=0.0)
    assert np.abs(correlations(blind, easy_truth.targets)).max() < 0.06
    clear = draw_visible_latents(11, indices, easy_truth.targets, latents, kappa_scale=9.0)
    np.testing.assert_allclose(correlations(clear, easy_truth.targets), 0.98, atol=0.01)


def test_oracle_ceilings_are_those_of_the_prototype() -> None:
    settings = load_cohort_settings("easy", kappa_scale=1.0)
    document = describe_truth(collect_truth(settings, 8000), num_train=5000)
    rows = document["phenotypes"]
    oracle_r2 = [rows[name]["oracle_r2"] for name in PHENOTYPE_NAMES]
    np.testing.assert_allclose(oracle_r2, PROTOTYPE_ORACLE, atol=0.05)


def test_oracle_without_kappa_is_the_heart_rate_alone() -> None:
    settings = load_cohort_settings("easy", kappa_scale=0.0)
    document = describe_truth(collect_truth(settings, 6000), num_train=4000)
    rows = document["phenotypes"]
    oracle_r2 = {name: rows[name]["oracle_r2"] for name in PHENOTYPE_NAMES}
    assert oracle_r2["lvef_pct"] == pytest.approx(0.0, abs=0.01)
    assert oracle_r2["rvef_pct"] == pytest.approx(0.0, abs=0.01)
    assert 0.02 < oracle_r2["lvco_l_min"] < 0.12
    assert max(oracle_r2.values()) < 0.12
