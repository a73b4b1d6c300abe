import numpy as np
import pytest

from ptacl_core.evaluate import EvaluationError, measure_alignment
from ptacl_core.evaluate.steps.own_steps import centre_steps, own_step_ranks, template_centred_top1
from ptacl_core.evaluate.steps.timing_kept import partial_r2, predict_beyond


def steps_of(own, template, rng, noise=0.0):
    return template + own + noise * rng.normal(size=own.shape)


def test_a_clock_alone_has_perfect_top1_and_knows_no_patient():
    rng = np.random.default_rng(0)
    template = 5 * rng.normal(size=(13, 64))
    ecg, cmr = (template + 0.1 * rng.normal(size=(80, 13, 64)) for _ in range(2))
    assert measure_alignment(ecg, cmr).top1.mean() == 1.0
    assert template_centred_top1(ecg, cmr).mean() == pytest.approx(1 / 13, abs=0.03)
    assert np.median(own_step_ranks(ecg, cmr)) == pytest.approx(40, abs=12)


def test_what_is_the_patients_own_survives_the_template():
    rng = np.random.default_rng(1)
    template, own = 5 * rng.normal(size=(13, 64)), rng.normal(size=(40, 13, 64))
    ecg, cmr = steps_of(own, template, rng, 0.1), steps_of(own, 3 * template, rng, 0.1)
    assert template_centred_top1(ecg, cmr).mean() == 1.0
    assert own_step_ranks(ecg, cmr).tolist() == [1] * 40


def test_patients_that_equal_the_template_tie_at_half():
    alike = np.ones((9, 13, 4))
    assert np.all(centre_steps(alike) == 0.0)
    assert own_step_ranks(alike, alike).tolist() == [5] * 9


def test_other_visits_of_the_person_are_no_candidates():
    rng = np.random.default_rng(2)
    own = rng.normal(size=(6, 13, 8))
    ecg = np.concatenate([own, own])
    cmr = np.concatenate([own + 0.5 * rng.normal(size=own.shape), own])
    owner = np.tile(np.arange(6), 2)
    assert own_step_ranks(ecg, cmr)[:6].max() > 1
    assert own_step_ranks(ecg, cmr, owner=owner).tolist() == [1] * 12


def test_one_patient_has_no_template():
    with pytest.raises(EvaluationError, match="two patients or more"):
        centre_steps(np.ones((1, 13, 4)))


def test_partial_r2_by_hand():
    observed = np.array([[1.0], [2.0], [3.0], [np.nan]])
    without, with_features = np.zeros((4, 1)), np.array([[1.0], [2.0], [2.0], [5.0]])
    assert partial_r2(observed, without, with_features) == pytest.approx(1 - 1 / 14)
    assert np.isnan(partial_r2(observed, observed, with_features)).all()


def test_timing_beyond_heart_rate_is_found_only_where_features_have_it():
    rng = np.random.default_rng(3)
    heart_rate, own = rng.normal(size=(900, 1)), rng.normal(size=(900, 1))
    timing = -2 * heart_rate + own
    noise = rng.normal(size=(900, 6))
    train, test = slice(0, 600), slice(600, 900)
    scores = []
    for features in (np.hstack([heart_rate, noise]), np.hstack([heart_rate + own, noise])):
        parts = predict_beyond(
            features[train], timing[train], heart_rate[train], features[test], heart_rate[test]
        )
        scores.append(float(partial_r2(timing[test], *parts)[0]))
    assert scores[0] == pytest.approx(0.0, abs=0.03)
    assert scores[1] > 0.9
