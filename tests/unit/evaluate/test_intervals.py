import numpy as np
import pytest

from ptacl_core.evaluate import (
    EvaluationError,
    bootstrap_interval,
    holm_adjust,
    judge_difference,
    page_trend,
    paired_difference,
    williams_test,
)


def mean_of(values):
    return lambda rows: values[rows].mean(axis=0)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_interval_of_a_mean_has_the_known_width(method):
    values = np.random.default_rng(0).normal(5.0, 2.0, size=200)
    interval = bootstrap_interval(
        mean_of(values), 200, generator=np.random.default_rng(1), method=method
    )
    error = values.std(ddof=1) / np.sqrt(200)
    assert interval.estimate == pytest.approx(values.mean())
    assert interval.sd == pytest.approx(error, rel=0.06)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.08)
    assert interval.low < interval.estimate < interval.high
    assert interval.num_used == 2000


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_coverage_of_a_mean(method):
    generator = np.random.default_rng(2)
    num_covered = 0
    for _ in range(150):
        values = generator.normal(size=60)
        interval = bootstrap_interval(
            mean_of(values), 60, generator=generator, num_resamples=200, method=method
        )
        num_covered += bool(interval.low <= 0 <= interval.high)
    assert 0.87 <= num_covered / 150 <= 0.99


def test_bca_equals_scipy_on_a_skewed_statistic():
    from scipy.stats import bootstrap

    values = np.random.default_rng(3).exponential(size=80)
    ours = bootstrap_interval(
        lambda rows: np.float64(np.var(values[rows])),
        80,
        generator=np.random.default_rng(4),
        num_resamples=6000,
        method="bca",
    )
    theirs = bootstrap(
        (values,), np.var, n_resamples=6000, method="BCa", rng=np.random.default_rng(5)
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low, rel=0.04)
    assert ours.high == pytest.approx(theirs.high, rel=0.04)


def test_many_figures_at_once_keep_their_shape():
    values = np.random.default_rng(5).normal(size=(50, 2, 3))
    interval = bootstrap_interval(
        mean_of(values), 50, generator=np.random.default_rng(0), num_resamples=100
    )
    assert interval.low.shape == interval.high.shape == interval.sd.shape == (2, 3)
    assert (interval.low <= interval.high).all()


def test_the_same_generator_state_gives_the_same_interval():
    values = np.random.default_rng(6).normal(size=30)
    first, second = (
        bootstrap_interval(mean_of(values), 30, generator=np.random.default_rng(9))
        for _ in range(2)
    )
    assert first.low == second.low


def test_rows_of_one_patient_are_drawn_together():
    # Every patient three times over: as independent rows the interval would be sqrt(3) narrower.
    generator = np.random.default_rng(7)
    per_patient = generator.normal(size=100)
    values = np.repeat(per_patient, 3)
    keys = np.repeat([f"p{i}" for i in range(100)], 3)
    order = generator.permutation(300)
    clustered = bootstrap_interval(
        mean_of(values[order]), 300, generator=generator, patients=keys[order]
    )
    expected = per_patient.std(ddof=1) / np.sqrt(100)
    assert clustered.sd == pytest.approx(expected, rel=0.08)


def test_undefined_resamples_are_counted_out():
    def statistic(rows):
        return np.array([np.nan, 1.0 if 0 in rows else np.nan])

    interval = bootstrap_interval(
        statistic, 5, generator=np.random.default_rng(0), num_resamples=400
    )
    assert np.isnan(interval.low[0])
    assert interval.num_used[0] == 0
    assert interval.low[1] == 1.0
    assert interval.num_used[1] == pytest.approx(400 * (1 - 0.8**5), abs=60)


def test_paired_difference_uses_the_same_patients():
    generator = np.random.default_rng(8)
    common = 10 * generator.normal(size=300)
    first = common + 0.5 + 0.5 * generator.normal(size=300)
    second = common + 0.5 * generator.normal(size=300)
    result = paired_difference(
        mean_of(first), mean_of(second), 300, generator=np.random.default_rng(0)
    )
    assert result.interval.estimate == pytest.approx((first - second).mean())
    assert 0.3 < result.interval.low < result.interval.high < 0.7
    assert result.p_value == pytest.approx(2 / 2001)
    nothing = paired_difference(
        mean_of(first), mean_of(first), 300, generator=np.random.default_rng(0), num_resamples=50
    )
    assert nothing.p_value == 1.0


def test_p_values_of_no_difference_are_spread_out():
    generator = np.random.default_rng(9)
    small = 0
    for _ in range(100):
        pair = generator.normal(size=(2, 80))
        result = paired_difference(
            mean_of(pair[0]), mean_of(pair[1]), 80, generator=generator, num_resamples=200
        )
        small += bool(result.p_value < 0.1)
    assert 2 <= small <= 22


def test_holm_by_hand():
    np.testing.assert_allclose(
        holm_adjust(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02]
    )
    np.testing.assert_allclose(holm_adjust(np.array([0.5, 0.9])), [1.0, 1.0])
    with_gap = holm_adjust(np.array([0.02, np.nan, 0.01]))
    np.testing.assert_allclose(with_gap[[0, 2]], [0.02, 0.02])
    assert np.isnan(with_gap[1])
    assert holm_adjust(np.empty(0)).size == 0


def test_verdicts():
    assert judge_difference(0.1, 0.2) == "separated"
    assert judge_difference(-0.1, 0.2) == "not separated"
    assert judge_difference(-0.3, -0.1) == "reversed"
    assert judge_difference(0.1, 0.2, margin=0.15) == "not separated"
    assert judge_difference(0.1, 0.2, p_value=0.2) == "not separated"
    assert judge_difference(0.1, 0.2, p_value=0.01) == "separated"
    assert judge_difference(np.nan, np.nan) == "not separated"
    assert judge_difference(0.1, 0.2, p_value=np.nan) == "not separated"


@pytest.mark.usefixtures("unchecked_shapes")
def test_one_patient_is_refused_in_words():
    with pytest.raises(EvaluationError, match="at least 2, got 1"):
        bootstrap_interval(mean_of(np.ones(1)), 1, generator=np.random.default_rng(0))
    with pytest.raises(EvaluationError, match="at least 2, got 1"):
        bootstrap_interval(
            mean_of(np.ones(4)), 4, generator=np.random.default_rng(0), patients=["a"] * 4
        )
    with pytest.raises(EvaluationError, match="expected 4 keys"):
        bootstrap_interval(
            mean_of(np.ones(4)), 4, generator=np.random.default_rng(0), patients=["a"]
        )


def test_williams_holds_its_level_and_sees_a_difference():
    generator = np.random.default_rng(10)
    rejected = 0
    for _ in range(300):
        truth = generator.normal(size=100)
        shared = generator.normal(size=100)
        first = truth + shared + generator.normal(size=100)
        second = truth + shared + generator.normal(size=100)
        r = np.asarray(np.corrcoef([truth, first, second]))
        rejected += williams_test(r[0, 1], r[0, 2], r[1, 2], 100).p_value < 0.05
    assert 0.02 <= rejected / 300 <= 0.09
    assert williams_test(0.7, 0.5, 0.6, 500).p_value < 1e-6
    assert williams_test(0.5, 0.5, 0.3, 50).p_value == pytest.approx(1.0)
    first, second = williams_test(0.6, 0.5, 0.4, 60), williams_test(0.5, 0.6, 0.4, 60)
    assert first.statistic == pytest.approx(-second.statistic)
    with pytest.raises(EvaluationError, match="the same"):
        williams_test(0.5, 0.5, 1.0, 50)


def test_page_trend_agrees_with_scipy():
    from scipy.stats import page_trend_test

    scores = np.random.default_rng(11).normal(size=(40, 5)) + 0.3 * np.arange(5)
    theirs = page_trend_test(scores, method="asymptotic")
    ours = page_trend(scores)
    assert ours.statistic == pytest.approx(theirs.statistic)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-6)
    with pytest.raises(EvaluationError, match="without gaps"):
        page_trend(np.full((3, 3), np.nan))
