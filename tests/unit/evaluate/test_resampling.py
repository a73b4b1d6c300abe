import numpy as np
import pytest

from ptacl_core.evaluate import (
    REGRESSION_FIGURES,
    EvaluationError,
    RegressionTerms,
    bland_altman,
    bootstrap_interval,
    calibration_slope_intercept,
    concordance_correlation,
    draw_resamples,
    mean_absolute_error,
    pearson_r,
    r2,
)


def copied_rows(counts):
    return np.repeat(np.arange(len(counts)), counts)


def by_definition(observed, predicted):
    agreement = bland_altman(observed, predicted)
    line = calibration_slope_intercept(observed, predicted)
    count = (~np.isnan(observed) & ~np.isnan(predicted)).sum(axis=0)
    return np.stack(
        [
            r2(observed, predicted),
            mean_absolute_error(observed, predicted),
            pearson_r(observed, predicted),
            concordance_correlation(observed, predicted),
            agreement.bias,
            agreement.low,
            agreement.high,
            line.slope,
            line.intercept,
            count,
        ]
    )


@pytest.fixture
def pair():
    generator = np.random.default_rng(1)
    observed = 150 + 30 * generator.normal(size=(40, 3))
    observed[:, 2] = np.round(observed[:, 2], -1)  # ties
    predicted = 0.5 * observed + 80 + 12 * generator.normal(size=(40, 3))
    observed[generator.random(observed.shape) < 0.2] = np.nan
    predicted[generator.random(predicted.shape) < 0.1] = np.nan
    return observed, predicted


def test_every_figure_of_a_resample_is_that_of_its_copied_rows(pair):
    observed, predicted = pair
    resamples = draw_resamples(40, generator=np.random.default_rng(0), num_resamples=30)
    terms = RegressionTerms(observed, predicted)
    assert REGRESSION_FIGURES[0] == "r2"
    np.testing.assert_allclose(
        terms.figures(terms.terms.sum(axis=0)).reshape(10, 3),
        by_definition(observed, predicted),
        rtol=1e-10,
    )
    resampled = terms.figures(resamples.sums(terms.terms)).reshape(30, 10, 3)
    for counts, figures in zip(resamples.counts, resampled, strict=True):
        rows = copied_rows(counts)
        np.testing.assert_allclose(
            figures, by_definition(observed[rows], predicted[rows]), rtol=1e-9
        )


def test_figures_that_are_not_defined_are_nan_and_never_a_number():
    observed = np.array([[5.1, np.nan, 1.0], [5.1, np.nan, np.nan], [5.1, 2.0, np.nan]])
    terms = RegressionTerms(observed, np.array([[4.0, 1.0, 2.0]] * 3))
    figures = terms.figures(terms.terms.sum(axis=0)).reshape(10, 3)
    assert np.isnan(figures[0]).all()
    assert np.isnan(figures[2]).all()
    np.testing.assert_allclose(figures[1], [1.1, 1.0, 1.0])
    np.testing.assert_array_equal(figures[-1], [3, 1, 1])
    # A resample of one patient only is constant too, whatever its last bits.
    value = np.array([[0.1], [0.7]])
    lone = RegressionTerms(value, value + 0.3)
    assert np.isnan(lone.r2(7 * lone.terms[:1]))


def test_intervals_equal_those_of_the_loop():
    values = np.random.default_rng(3).gamma(2.0, size=(60, 2))
    fast = draw_resamples(60, generator=np.random.default_rng(5), num_resamples=300)
    slow = bootstrap_interval(
        lambda rows: values[rows].mean(axis=0),
        60,
        generator=np.random.default_rng(5),
        num_resamples=300,
    )
    interval = fast.mean_interval(values)
    np.testing.assert_allclose(interval.estimate, slow.estimate)
    np.testing.assert_allclose(interval.low, slow.low)
    np.testing.assert_allclose(interval.high, slow.high)


@pytest.mark.parametrize("num_rows", [9, 10])
def test_medians_equal_those_of_copied_rows(num_rows):
    ranks = np.random.default_rng(2).integers(1, 6, num_rows)
    resamples = draw_resamples(num_rows, generator=np.random.default_rng(0), num_resamples=200)
    medians = [np.median(ranks[copied_rows(counts)]) for counts in resamples.counts]
    interval = resamples.median_interval(ranks)
    assert interval.estimate == np.median(ranks)
    np.testing.assert_allclose([interval.low, interval.high], np.quantile(medians, [0.025, 0.975]))
    np.testing.assert_allclose(interval.sd, np.std(medians, ddof=1))


def test_rows_of_a_patient_come_together_and_subsets_keep_the_draw():
    people = ["a", "b", "a", "c", "c", "c"]
    resamples = draw_resamples(
        6, generator=np.random.default_rng(0), num_resamples=50, patients=people
    )
    counts = resamples.counts
    np.testing.assert_array_equal(counts[:, 0], counts[:, 2])
    np.testing.assert_array_equal(counts[:, 3], counts[:, 5])
    np.testing.assert_array_equal(counts[:, 0] + counts[:, 1] + counts[:, 3], 3)
    np.testing.assert_array_equal(resamples.take(np.array([1, 3])).counts, counts[:, [1, 3]])


def test_a_subset_that_a_resample_misses_counts_that_resample_out():
    resamples = draw_resamples(30, generator=np.random.default_rng(0), num_resamples=200)
    alone = resamples.take(np.array([4])).mean_interval(np.array([[2.5]]))
    assert alone.estimate == alone.low == alone.high == 2.5
    assert 0 < alone.num_used[0] < 200


@pytest.mark.parametrize("patients", [["x"], ["x", "x", "x"], []])
def test_one_patient_is_refused_in_words(patients):
    with pytest.raises(EvaluationError, match="at least 2"):
        draw_resamples(len(patients), generator=np.random.default_rng(0), patients=patients)
