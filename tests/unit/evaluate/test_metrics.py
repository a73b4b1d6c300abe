import numpy as np
import pytest

from ptacl_core.evaluate import (
    EvaluationError,
    bland_altman,
    calibration_slope_intercept,
    concordance_correlation,
    mean_absolute_error,
    pearson_r,
    r2,
    why_undefined,
)


@pytest.fixture
def pair():
    generator = np.random.default_rng(0)
    observed = 100 + 20 * generator.normal(size=(50, 3))
    predicted = 0.6 * observed + 50 + 10 * generator.normal(size=(50, 3))
    observed[generator.random(observed.shape) < 0.2] = np.nan
    predicted[generator.random(predicted.shape) < 0.1] = np.nan
    return observed, predicted


def columns(pair):
    for observed, predicted in zip(pair[0].T, pair[1].T, strict=True):
        rows = ~(np.isnan(observed) | np.isnan(predicted))
        yield observed[rows], predicted[rows]


def test_each_equals_its_definition(pair):
    expected = {
        r2: [1 - ((o - p) ** 2).sum() / ((o - o.mean()) ** 2).sum() for o, p in columns(pair)],
        mean_absolute_error: [np.abs(o - p).mean() for o, p in columns(pair)],
        pearson_r: [np.corrcoef(o, p)[0, 1] for o, p in columns(pair)],
        concordance_correlation: [
            2 * np.cov(o, p, bias=True)[0, 1] / (o.var() + p.var() + (o.mean() - p.mean()) ** 2)
            for o, p in columns(pair)
        ],
    }
    for function, values in expected.items():
        np.testing.assert_allclose(function(*pair), values, rtol=1e-12)


def test_bland_altman_and_calibration_equal_their_definitions(pair):
    bias, low, high, _ = map(np.ravel, bland_altman(*pair))
    slopes, intercepts = map(np.ravel, calibration_slope_intercept(*pair))
    for target, (observed, predicted) in enumerate(columns(pair)):
        difference = predicted - observed
        sd = difference.std(ddof=1)
        assert bias[target] == pytest.approx(difference.mean())
        assert low[target] == pytest.approx(difference.mean() - 1.96 * sd)
        assert high[target] == pytest.approx(difference.mean() + 1.96 * sd)
        slope, intercept = np.polyfit(predicted, observed, 1)
        assert slopes[target] == pytest.approx(slope)
        assert intercepts[target] == pytest.approx(intercept)


def test_one_target_gives_numbers(pair):
    for function in (r2, mean_absolute_error, pearson_r, concordance_correlation):
        both = np.ravel(function(*pair))
        single = function(pair[0][:, 1], pair[1][:, 1])
        assert np.ndim(single) == 0
        assert single == pytest.approx(both[1])


def test_perfect_and_mean_predictions():
    observed = np.array([1.0, 2.0, 4.0])
    assert r2(observed, observed) == 1.0
    assert concordance_correlation(observed, observed) == pytest.approx(1.0)
    assert mean_absolute_error(observed, observed) == 0.0
    assert r2(observed, np.full(3, observed.mean())) == pytest.approx(0.0)
    assert calibration_slope_intercept(observed, observed) == pytest.approx((1.0, 0.0))
    assert pearson_r(observed, -observed) == pytest.approx(-1.0)


def test_r2_is_at_most_squared_pearson(pair):
    assert (r2(*pair) <= pearson_r(*pair) ** 2 + 1e-12).all()


def test_concordance_punishes_a_shift_that_pearson_does_not():
    observed = np.arange(10.0)
    assert pearson_r(observed, observed + 5) == pytest.approx(1.0)
    assert concordance_correlation(observed, observed + 5) < 0.6


def test_large_offsets_lose_no_digits():
    generator = np.random.default_rng(1)
    observed = generator.normal(size=200)
    predicted = observed + 0.1 * generator.normal(size=200)
    assert r2(observed + 1e9, predicted + 1e9) == pytest.approx(r2(observed, predicted), abs=1e-6)


@pytest.mark.parametrize("function", [r2, pearson_r, concordance_correlation])
def test_undefined_figures_are_nan_without_a_warning(function):
    present = np.array([1.0, 2.0, 3.0])
    absent = np.full(3, np.nan)
    assert np.isnan(function(absent, present))
    assert np.isnan(function(np.array([1.0, np.nan, np.nan]), present))
    assert np.isnan(function(np.empty(0), np.empty(0)))


def test_constant_phenotypes_are_undefined_not_infinite():
    constant = np.full(5, 0.1 + 0.2)
    predicted = np.arange(5.0)
    assert np.isnan(r2(constant, predicted))
    assert np.isnan(pearson_r(constant, predicted))
    assert np.isnan(pearson_r(predicted, constant))
    assert mean_absolute_error(constant, predicted) > 0
    line = calibration_slope_intercept(predicted, constant)
    assert np.isnan(line.slope)


def test_one_patient_has_an_error_but_no_spread():
    agreement = bland_altman(np.array([1.0]), np.array([3.0]))
    assert agreement.bias == 2.0
    assert np.isnan(agreement.sd)
    assert mean_absolute_error(np.array([1.0]), np.array([3.0])) == 2.0


def test_the_reason_is_one_line():
    assert why_undefined(np.array([np.nan, np.nan])) == "no label present"
    assert why_undefined(np.array([2.0, np.nan])) == "one labelled patient only"
    assert "constant (3) in 2 patients" in str(why_undefined(np.array([3.0, 3.0])))
    assert why_undefined(np.array([3.0, 4.0])) is None


@pytest.mark.usefixtures("unchecked_shapes")
def test_wrong_shapes_and_infinities_are_named():
    with pytest.raises(EvaluationError, match=r"\(3,\) and \(4,\)"):
        r2(np.zeros(3), np.zeros(4))
    with pytest.raises(EvaluationError, match="infinite"):
        r2(np.array([1.0, np.inf]), np.zeros(2))
