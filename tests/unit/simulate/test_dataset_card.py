"""The dataset card and its read-outs."""

import json

import numpy as np
import pytest

from ptacl_core.config.simulation import load_cohort_settings
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.simulate import Generation, compute_dataset_card, format_card
from ptacl_core.simulate.card_document import DatasetCard
from ptacl_core.simulate.probes import collect_probe_features, fit_pca_r2, fit_ridge_r2


@pytest.fixture(scope="module")
def card() -> DatasetCard:
    return compute_dataset_card(
        load_cohort_settings("tiny", assignments=["strata.athlete=0.25"]),
        generation=Generation(num_patients=512, seconds=8.0, num_workers=2, device="cpu"),
    )


def test_card_is_a_document_of_plain_values(card: DatasetCard) -> None:
    assert json.loads(json.dumps(card, allow_nan=False)) == card
    assert card["cohort"] == "tiny"
    assert card["generation"] is not None
    assert card["generation"]["seconds"] == 8.0
    split = card["split"]
    assert split["train"] + split["validation"] + split["test"] == 512
    for counts in (card["rhythms"], card["conduction"], card["strata"]):
        assert sum(counts.values()) == 512
    assert 90 < card["strata"]["athlete"] < 170
    assert card["knobs"]["strata.athlete"] == 0.25
    assert list(card["phenotypes"]) == list(PHENOTYPE_NAMES)
    assert "probes" not in card


def test_card_states_ceilings_that_bound_each_other(card: DatasetCard) -> None:
    for row in card["phenotypes"].values():
        assert row["oracle_r2"] < row["label_reliability"] <= 1
        assert row["demographics_r2"] < row["label_reliability"]
    assert card["phenotypes"]["lvm_g"]["demographics_r2"] > 0.5
    assert card["phenotypes"]["lvm_g"]["oracle_r2"] > 0.75


def test_card_text_names_every_figure_and_its_limits(card: DatasetCard) -> None:
    text = format_card(card)
    assert "never about hearts" in text
    assert "Research use only" in text
    oracle = f"{card['phenotypes']['rvef_pct']['oracle_r2']:.2f}"
    line = next(line for line in text.splitlines() if line.startswith("| oracle"))
    assert line.endswith(f"| {oracle} |")
    assert "512 patients made in 8.0 s (64.0 pairs per second, 2 processes, cpu)" in text
    for title in ("LVEDV", "LVESV", "LVSV", "LVEF", "LVCO", "LVM", "RVEDV", "RVESV", "RVSV"):
        assert f"| {title} |" in text


def test_probes_are_part_of_the_card_when_asked_for() -> None:
    settings = load_cohort_settings("tiny", num_patients=160, lead_fault_share=0.0)
    features = collect_probe_features(settings, range(160), with_cine=True)
    card = compute_dataset_card(settings, features=features, num_probe_train=120)
    probes = card.get("probes")
    assert probes is not None
    assert (probes["num_train"], probes["num_patients"]) == (120, 160)
    assert set(probes["r2"]) == {"ecg_pca_20", "ecg_pca_100", "ecg_ridge", "cine_ridge"}
    assert probes["r2"]["cine_ridge"]["lvedv_ml"] > 0.3
    assert "| cine pixels, ridge |" in format_card(card)


def test_ridge_recovers_a_linear_law_and_scores_noise_at_0() -> None:
    generator = np.random.default_rng(5)
    features = generator.normal(size=(800, 12))
    law = features @ generator.normal(size=(12, 2)) + 3
    noise = generator.normal(size=(800, 1))
    scores = fit_ridge_r2(features, np.hstack([law, noise]), num_train=600)
    assert scores[:2] == pytest.approx(1.0, abs=1e-4)
    assert scores[2] == pytest.approx(0.0, abs=0.05)


def test_ridge_without_penalty_is_least_squares() -> None:
    generator = np.random.default_rng(6)
    features = generator.normal(size=(300, 7)) * [1, 2, 3, 4, 5, 6, 7] + 4
    targets = features[:, :3] ** 2 + generator.normal(size=(300, 3))
    scores = fit_ridge_r2(features, targets, num_train=200, penalties=(0.0,))
    design = np.hstack([features, np.ones((300, 1))])
    weights = np.linalg.lstsq(design[:200], targets[:200], rcond=None)[0]
    residual = targets[200:] - design[200:] @ weights
    total = ((targets[200:] - targets[200:].mean(axis=0)) ** 2).sum(axis=0)
    np.testing.assert_allclose(scores, 1 - (residual**2).sum(axis=0) / total, rtol=1e-9)


def test_all_principal_components_are_the_features() -> None:
    generator = np.random.default_rng(7)
    features = generator.normal(size=(300, 6))
    targets = generator.normal(size=(300, 2)) + features[:, :2]
    whole = fit_pca_r2(features, targets, num_train=200, num_components=6)
    plain = fit_ridge_r2(features, targets, num_train=200, penalties=(0.0,))
    np.testing.assert_allclose(whole, plain, rtol=1e-9)


def test_faulty_ecgs_are_left_out_of_the_read_outs() -> None:
    settings = load_cohort_settings("tiny", lead_fault_share=0.5)
    features = collect_probe_features(settings, range(40), with_cine=False)
    assert 8 < len(features.phenotypes) < 32
    assert features.ecg.shape == (len(features.phenotypes), 12 * 100)


@pytest.mark.slow
def test_mean_beats_of_the_easy_cohort_reproduce_the_prototype() -> None:
    """simulator.md §4.6, row κ-scale 1.2, nuisance 1, n = 8,000: R² within 0.05."""
    prototype = (0.53, 0.60, 0.31, 0.30, 0.29, 0.63, 0.48, 0.55, 0.29, 0.32)
    settings = load_cohort_settings("easy", num_patients=8000)
    features = collect_probe_features(settings, range(8000), with_cine=False)
    scores = fit_ridge_r2(features.ecg, features.phenotypes, num_train=6000)
    np.testing.assert_allclose(scores, prototype, atol=0.05)


@pytest.mark.slow
def test_without_kappa_the_ecg_knows_no_more_than_the_heart_rate() -> None:
    """The leak test: what the heart rate does not explain scores below 0.02."""
    settings = load_cohort_settings("easy", num_patients=8000, kappa_scale=0.0)
    features = collect_probe_features(settings, range(8000), with_cine=False)
    rate = np.log(features.heart_rate_bpm)[:, None]
    design = np.hstack([np.ones_like(rate), rate])
    weights = np.linalg.lstsq(design[:6000], features.phenotypes[:6000], rcond=None)[0]
    unexplained = features.phenotypes - design @ weights
    assert fit_ridge_r2(features.ecg, unexplained, num_train=6000).max() < 0.02
    whole = fit_ridge_r2(features.ecg, features.phenotypes, num_train=6000)
    assert whole.max() < 0.10
    assert PHENOTYPE_NAMES[int(whole.argmax())] == "lvco_l_min"
