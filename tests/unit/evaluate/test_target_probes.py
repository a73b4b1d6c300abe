"""Probes of a cohort's own targets: penalties, calibrated probabilities, weighted figures."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ptacl_core.evaluate import EvaluationError
from ptacl_core.evaluate.probes.calibration import fit_calibration
from ptacl_core.evaluate.probes.figures import (
    bound_weighted,
    weigh_area,
    weigh_brier,
    weigh_calibration,
)
from ptacl_core.evaluate.probes.penalised import (
    assign_folds,
    fit_logistic_probe,
    fit_ridge_probe,
)
from ptacl_core.evaluate.resampling import Resamples, draw_resamples


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.mark.parametrize("num", [100, 400])
@pytest.mark.parametrize(("intercept", "slope"), [(0.0, 1.0), (-1.5, 1.2), (0.5, 2.5)])
def test_the_interval_of_a_probability_covers_the_share_it_is_of(generator, num, intercept, slope):
    covered = []
    for _ in range(100):
        score = 1.7 * generator.normal(size=num) + 0.4
        chance = expit(intercept + slope * (score - 0.4) / 1.7)
        events = (generator.random(num) < chance).astype(float)
        calibration = fit_calibration(score, events, np.arange(num).astype(str))
        fresh = 1.7 * generator.normal(size=100) + 0.4
        truth = expit(intercept + slope * (fresh - 0.4) / 1.7)
        calibrated = calibration.probability(fresh, level=0.9)
        covered.append(((calibrated.low <= truth) & (truth <= calibrated.high)).mean())
    assert 0.85 < np.mean(covered) < 0.95


def test_a_score_that_parts_both_sides_keeps_a_finite_line():
    score = np.r_[np.linspace(-3, -1, 20), np.linspace(1, 3, 20)]
    calibration = fit_calibration(score, (score > 0).astype(float), np.arange(40).astype(str))
    calibrated = calibration.probability(np.array([-50.0, 0.0, 50.0]), level=0.9)
    assert np.isfinite(calibrated).all() and (calibrated.low <= calibrated.value).all()
    assert calibrated.value[0] < 0.01 < 0.99 < calibrated.value[2]
    assert (calibration.num_events, calibration.num_others) == (20, 20)
    with pytest.raises(EvaluationError, match="5 people with the event"):
        fit_calibration(score, np.r_[np.ones(4), np.zeros(36)], np.arange(40).astype(str))


def test_several_recordings_of_a_person_do_not_narrow_the_interval(generator):
    score = generator.normal(size=60)
    events = (generator.random(60) < expit(score)).astype(float)
    names = np.arange(60).astype(str)
    once = fit_calibration(score, events, names).probability(score, level=0.9)
    again = fit_calibration(np.tile(score, 4), np.tile(events, 4), np.tile(names, 4))
    often = again.probability(score, level=0.9)
    assert np.median((often.high - often.low) / (once.high - once.low)) > 0.9


def test_figures_are_those_of_the_textbook_and_of_copied_rows(generator):
    score = np.round(generator.normal(size=90), 1)  # with ties
    events = (generator.random(90) < expit(score)).astype(float)
    chance = expit(0.7 * score - 0.2)
    ones = np.ones((1, 90))
    assert weigh_area(score, events)(ones)[0, 0] == pytest.approx(roc_auc_score(events, score))
    line = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(chance)[:, None], events)
    slope, intercept = weigh_calibration(chance, events)(ones)[0]
    assert slope == pytest.approx(line.coef_[0, 0], abs=1e-5)
    assert intercept == pytest.approx(line.intercept_[0], abs=1e-5)
    resamples = draw_resamples(90, generator=generator, num_resamples=20)
    weights = resamples.counts.astype(float)
    for figure in (weigh_area, weigh_brier, weigh_calibration):
        drawn = figure(score if figure is weigh_area else chance, events)(weights)
        for row in range(3):
            rows = np.repeat(np.arange(90), resamples.counts[row])
            copied = figure((score if figure is weigh_area else chance)[rows], events[rows])
            np.testing.assert_allclose(copied(np.ones((1, 90)))[0], drawn[row], atol=1e-6)


def test_what_is_not_defined_is_nan_and_left_out():
    one_sided = weigh_area(np.arange(4.0), np.array([0.0, 1.0, 1.0, 1.0]))
    counts = np.array([[1, 1, 1, 1], [0, 2, 1, 1]], np.uint16)
    interval = bound_weighted(one_sided, Resamples(counts))
    assert interval.estimate[0] == 1.0 and interval.num_used[0] == 1
    parted = weigh_calibration(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.0, 0.0, 1.0, 1.0]))
    assert np.isnan(parted(np.ones((1, 4)))).all()


def test_probes_are_lines_in_the_features_and_hold_people_together(generator):
    features = generator.normal(size=(200, 6)) * [1, 10, 100, 1, 1, 0] + 5.0
    people = np.repeat(np.arange(100), 2).astype(str)
    fold = assign_folds(people)
    assert all(len(set(fold[people == name])) == 1 for name in people)
    assert set(fold) == set(range(5))
    truth = 3.0 * features[:, 0] - 0.1 * features[:, 1]
    ridge = fit_ridge_probe(features, truth + generator.normal(0, 0.1, 200), people)
    np.testing.assert_allclose(ridge.coefficients[:2], [3.0, -0.1], atol=0.05)
    assert ridge.coefficients[5] == 0.0  # constant
    events = (generator.random(200) < expit(2 * (features[:, 0] - 5))).astype(float)
    logistic = fit_logistic_probe(features, events, people)
    assert np.corrcoef(logistic.score(features), features[:, 0])[0, 1] > 0.9
    with pytest.raises(EvaluationError, match="with and without"):
        fit_logistic_probe(features, np.zeros(200), people)
    with pytest.raises(EvaluationError, match="6 dimensions"):
        ridge.score(features[:, :3])
