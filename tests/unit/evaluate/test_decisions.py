import numpy as np
import pytest

from ptacl_core.evaluate import (
    EvaluationError,
    brier_score,
    describe_neighbours,
    expected_calibration_error,
    probability_below,
    rank_events,
    reliability,
)


def test_probability_is_the_share_of_residuals_that_reach_the_limit():
    residuals = np.array([-3.0, -1.0, 0.0, 2.0, np.nan])
    probability = probability_below(np.array([50.0, 53.0, 40.0]), residuals, 50.0)
    np.testing.assert_allclose(probability, [2.5 / 5, 0.5 / 5, 4.5 / 5])


def test_probabilities_of_a_true_model_are_calibrated():
    generator = np.random.default_rng(0)
    truth = 60 + 8 * generator.normal(size=6000)
    observed = truth + 4 * generator.normal(size=6000)
    probability = probability_below(truth[2000:], (observed - truth)[:2000], 50.0)
    event = observed[2000:] < 50
    bins = reliability(event, probability)
    assert sum(interval.num_patients for interval in bins) == 4000
    assert expected_calibration_error(bins) < 0.02
    assert brier_score(event, probability).mean() < event.mean() * (1 - event.mean()) / 2
    assert probability.mean() == pytest.approx(event.mean(), abs=0.015)


def test_auc_counts_pairs_and_its_error_is_delongs():
    generator = np.random.default_rng(3)
    score = np.round(generator.normal(size=80), 1)  # ties
    event = generator.random(80) < 0.3
    positive, negative = score[event], score[~event]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    ranking = rank_events(event, score)
    assert ranking.auc == pytest.approx(wins.mean())
    error = np.sqrt(
        wins.mean(axis=1).var(ddof=1) / len(positive)
        + wins.mean(axis=0).var(ddof=1) / len(negative)
    )
    assert ranking.standard_error == pytest.approx(error)
    assert rank_events(event, event.astype(float)).auc == 1.0


def test_one_kind_of_patient_gives_no_ranking():
    with pytest.raises(EvaluationError, match="with and without"):
        rank_events(np.zeros(5, bool), np.arange(5.0))


def test_ece_by_hand():
    event = np.array([False, False, True, True])
    bins = reliability(event, np.array([0.1, 0.3, 0.6, 0.8]), num_bins=2)
    assert [(interval.probability, interval.share) for interval in bins] == [
        (pytest.approx(0.2), 0.0),
        (pytest.approx(0.7), 1.0),
    ]
    assert expected_calibration_error(bins) == pytest.approx(0.25)


def test_neighbours_median_interval_covers_as_it_says():
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        description = describe_neighbours(generator.exponential(size=20))
        assert description is not None
        hits += description.median_low <= np.log(2) <= description.median_high
    # Order statistics 6 and 15 of 20 hold the median with probability 0.959.
    assert hits / 400 == pytest.approx(0.959, abs=0.03)


def test_neighbours_without_the_label_are_not_counted():
    description = describe_neighbours(np.array([3.0, np.nan, 1.0, 2.0]))
    assert description is not None
    assert (description.num_neighbours, description.median) == (3, 2.0)
    assert np.isnan(description.median_low)  # three order statistics cannot hold it with 95 %
    assert 1.0 <= description.low < description.high <= 3.0
    assert describe_neighbours(np.array([np.nan, np.nan])) is None
    six = describe_neighbours(np.arange(6.0))
    assert six is not None
    assert (six.median_low, six.median_high) == (0.0, 5.0)
