import numpy as np
import pytest

from ptacl_core.evaluate import (
    EvaluationError,
    clopper_pearson,
    fit_conformal,
    measure_coverage,
    shortfall_p_value,
)


def draw(
    generator: np.random.Generator, num: int, *, bias: float = 0.0, spread: float | np.ndarray = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    predicted = 100 + 20 * generator.normal(size=num)
    observed = predicted + bias + spread * generator.standard_t(4, size=num)
    return observed, predicted


def test_offset_is_the_right_order_statistic():
    residual = np.array([1.0, -2.0, 3.0, -4.0, 5.0, -6.0, 7.0, -8.0, 9.0])
    predicted = np.zeros(9)
    # ceil(10 * 0.9) = 9th smallest of 9; ceil(10 * 0.5) = 5th.
    assert fit_conformal(residual, predicted, level=0.9).offsets["all"] == (9.0, 9.0)
    assert fit_conformal(residual, predicted, level=0.5).offsets["all"] == (5.0, 5.0)
    # ceil(10 * 0.95) = 10 > 9: no finite interval has that coverage.
    assert fit_conformal(residual, predicted, level=0.95).offsets["all"] == (np.inf, np.inf)


def test_asymmetric_offsets_take_each_tail():
    residual = np.arange(1.0, 40.0)  # always above the prediction
    offsets = fit_conformal(residual, np.zeros(39), level=0.9, is_asymmetric=True).offsets["all"]
    assert offsets == (-2.0, 38.0)  # ceil(40 * 0.95) = 38th smallest of either sign


@pytest.mark.parametrize("is_asymmetric", [False, True])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_coverage_is_nominal(level, is_asymmetric):
    generator = np.random.default_rng(round(100 * level))
    shares = []
    for _ in range(60):
        observed, predicted = draw(generator, 400, bias=3.0)
        intervals = fit_conformal(observed, predicted, level=level, is_asymmetric=is_asymmetric)
        later, later_predicted = draw(generator, 400, bias=3.0)
        shares.append(measure_coverage(later, intervals.interval(later_predicted)).share)
    # Expected coverage lies in [level, level + 2 / (n + 1)]; the mean of 60 has this error.
    error = 3.5 * np.sqrt(2 * level * (1 - level) / 400 / 60)
    assert level - error <= np.mean(shares) <= level + 2 / 401 + error


def test_asymmetric_intervals_are_narrower_under_bias():
    generator = np.random.default_rng(0)
    observed, predicted = draw(generator, 2000, bias=5.0)
    later, later_predicted = draw(generator, 2000, bias=5.0)
    widths = [
        measure_coverage(
            later,
            fit_conformal(observed, predicted, is_asymmetric=choice).interval(later_predicted),
        ).mean_width
        for choice in (False, True)
    ]
    assert widths[1] < 0.7 * widths[0]


def test_groups_have_their_own_offsets_and_coverage():
    generator = np.random.default_rng(1)
    groups = np.where(generator.random(4000) < 0.5, "calm", "wild")
    spread = np.where(groups == "wild", 5.0, 1.0)
    observed, predicted = draw(generator, 4000, spread=spread)
    pooled = fit_conformal(observed[:2000], predicted[:2000])
    mondrian = fit_conformal(observed[:2000], predicted[:2000], groups=groups[:2000])
    assert mondrian.pooled_groups == ()
    for group in ("calm", "wild"):
        rows = np.flatnonzero(groups[2000:] == group) + 2000
        own = mondrian.interval(predicted[rows], groups=groups[rows])
        assert measure_coverage(observed[rows], own).share == pytest.approx(0.9, abs=0.035)
    wild = np.flatnonzero(groups[2000:] == "wild") + 2000
    assert measure_coverage(observed[wild], pooled.interval(predicted[wild])).share < 0.87


def test_small_and_unknown_groups_use_the_pooled_offsets_and_are_named():
    generator = np.random.default_rng(2)
    observed, predicted = draw(generator, 300)
    groups = np.array(["big"] * 290 + ["rare"] * 9 + ["one"])
    intervals = fit_conformal(observed, predicted, groups=groups)
    assert intervals.pooled_groups == ("one", "rare")
    unknown = intervals.interval(predicted[:1], groups=["never seen"])
    pooled = intervals.interval(predicted[:1])
    assert unknown == pooled


def test_scaled_residuals_follow_the_difficulty():
    generator = np.random.default_rng(3)
    scale = generator.uniform(0.5, 5.0, size=4000)
    observed, predicted = draw(generator, 4000, spread=scale)
    intervals = fit_conformal(observed[:2000], predicted[:2000], scale=scale[:2000])
    bounds = intervals.interval(predicted[2000:], scale=scale[2000:])
    np.testing.assert_allclose(
        (bounds.high - bounds.low) / scale[2000:],
        (bounds.high[0] - bounds.low[0]) / scale[2000],
    )
    hard = scale[2000:] > 3
    inside = (observed[2000:] >= bounds.low) & (observed[2000:] <= bounds.high)
    assert inside[hard].mean() == pytest.approx(0.9, abs=0.04)
    with pytest.raises(EvaluationError, match="scale is needed"):
        intervals.interval(predicted)


def test_absent_labels_are_left_out():
    generator = np.random.default_rng(4)
    observed, predicted = draw(generator, 500)
    with_gaps = observed.copy()
    with_gaps[::3] = np.nan
    rows = ~np.isnan(with_gaps)
    assert fit_conformal(with_gaps, predicted) == fit_conformal(observed[rows], predicted[rows])
    interval = fit_conformal(observed, predicted).interval(predicted)
    assert measure_coverage(with_gaps, interval).num_patients == rows.sum()


def test_clopper_pearson_equals_scipy():
    from scipy.stats import binomtest

    for successes, trials in ((0, 10), (10, 10), (1, 7), (90, 100), (4500, 5000)):
        expected = binomtest(successes, trials).proportion_ci(method="exact")
        assert clopper_pearson(successes, trials) == pytest.approx((expected.low, expected.high))


@pytest.mark.usefixtures("unchecked_shapes")
def test_what_cannot_be_done_is_said():
    with pytest.raises(EvaluationError, match="no calibration patient has this label"):
        fit_conformal(np.full(5, np.nan), np.zeros(5))
    with pytest.raises(EvaluationError, match="got 1"):
        fit_conformal(np.zeros(5), np.zeros(5), level=1.0)
    with pytest.raises(EvaluationError, match="one positive number"):
        fit_conformal(np.zeros(5), np.zeros(5), scale=np.zeros(5))
    with pytest.raises(EvaluationError, match="5 patients but 4 groups"):
        fit_conformal(np.zeros(5), np.zeros(5), groups=["a"] * 4)
    with pytest.raises(EvaluationError, match="coverage cannot be measured"):
        interval = fit_conformal(np.zeros(5), np.zeros(5)).interval(np.zeros(2))
        measure_coverage(np.full(2, np.nan), interval)
    with pytest.raises(EvaluationError, match="3 of 2"):
        clopper_pearson(3, 2)


def test_shortfall_is_the_beta_binomial_of_both_draws():
    stats = pytest.importorskip("scipy.stats")
    # 99 calibration labels at 90 %: the 95th of each tail, so Beta(90, 10).
    for covered in (40, 45, 50):
        expected = stats.betabinom(50, 90, 10).cdf(covered)
        p_value = shortfall_p_value(covered, 50, num_calibration=99, level=0.9)
        assert p_value == pytest.approx(expected, rel=1e-9)
    assert shortfall_p_value(50, 50, num_calibration=99, level=0.9) == pytest.approx(1.0)


def test_shortfall_holds_its_level_and_sees_a_shift():
    generator = np.random.default_rng(11)
    alike, shifted = [], []
    for _ in range(300):
        observed, predicted = draw(generator, 250)
        fitted = fit_conformal(observed[:100], predicted[:100], is_asymmetric=True)
        for bias, p_values in ((0.0, alike), (2.5, shifted)):
            labels = observed[100:] + bias
            coverage = measure_coverage(labels, fitted.interval(predicted[100:]))
            p_values.append(
                shortfall_p_value(
                    round(coverage.share * 150),
                    150,
                    num_calibration=fitted.num_calibration["all"],
                    level=0.9,
                )
            )
    assert np.mean(np.array(alike) < 0.05) < 0.09
    assert np.mean(np.array(shifted) < 0.05) > 0.95


def test_shortfall_of_what_is_no_share_is_refused():
    with pytest.raises(EvaluationError, match="not a share"):
        shortfall_p_value(3, 2, num_calibration=99, level=0.9)
    with pytest.raises(EvaluationError, match=r"give no 0\.9 interval"):
        shortfall_p_value(3, 4, num_calibration=10, level=0.9)
