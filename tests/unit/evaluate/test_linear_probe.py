import numpy as np
import pytest

from ptacl_core.evaluate import EvaluationError, LinearProbe, fit_linear_probe, linear_probe_r2
from ptacl_core.evaluate import linear_probe as module


def lstsq_with_intercept(features, targets):
    """The problem in one call, the intercept as a column of ones."""
    design = np.column_stack([np.asarray(features, np.float64), np.ones(len(features))])
    solution = np.linalg.lstsq(design, targets, rcond=None)[0]
    return solution[:-1], solution[-1]


def slow_r2(observed, predicted):
    scores = []
    for target in range(observed.shape[1]):
        present = [i for i in range(len(observed)) if not np.isnan(observed[i, target])]
        mean = sum(observed[i, target] for i in present) / len(present)
        error = sum((observed[i, target] - predicted[i, target]) ** 2 for i in present)
        total = sum((observed[i, target] - mean) ** 2 for i in present)
        scores.append(1 - error / total)
    return np.array(scores)


def draw(seed, *, num=400, dim=20, num_targets=4):
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(num, dim)) + generator.normal(size=dim)
    truth = generator.normal(size=(dim, num_targets))
    targets = features @ truth + 5.0 + generator.normal(size=(num, num_targets))
    return features, targets


def test_well_conditioned_equals_lstsq_to_1e_10():
    for seed in range(5):
        features, targets = draw(seed)
        probe = fit_linear_probe(features, targets)
        slope, offset = lstsq_with_intercept(features, targets)
        np.testing.assert_allclose(probe.coefficients, slope, rtol=0, atol=1e-10)
        np.testing.assert_allclose(probe.intercept, offset, rtol=0, atol=1e-10)


def test_ill_conditioned_predictions_equal_lstsq_to_1e_6():
    generator = np.random.default_rng(1)
    for condition in (1e5, 1e7, 1e9):
        features, targets = draw(2, num=300, dim=15)
        left, _, right = np.linalg.svd(features, full_matrices=False)
        features = left @ np.diag(np.geomspace(1, 1 / condition, 15)) @ right * 100
        targets = features @ generator.normal(size=(15, 4)) + generator.normal(size=(300, 4))
        probe = fit_linear_probe(features, targets)
        slope, offset = lstsq_with_intercept(features, targets)
        np.testing.assert_allclose(probe.predict(features), features @ slope + offset, atol=1e-6)


def test_columns_of_very_different_scale():
    features, targets = draw(3)
    scales = np.geomspace(1e-4, 1e4, features.shape[1])
    plain = fit_linear_probe(features, targets).predict(features)
    scaled = fit_linear_probe(features * scales, targets).predict(features * scales)
    np.testing.assert_allclose(scaled, plain, atol=1e-7)


def test_the_normal_equations_are_taken_and_left_when_they_should(monkeypatch):
    calls = []
    original = module._solve_by_singular_values
    monkeypatch.setattr(
        module,
        "_solve_by_singular_values",
        lambda *arguments: calls.append(1) or original(*arguments),
    )
    features, targets = draw(4)
    fit_linear_probe(features, targets)
    assert calls == []
    fit_linear_probe(np.column_stack([features, features[:, 0]]), targets)
    assert calls == [1]


def test_duplicate_columns_share_the_weight():
    features, targets = draw(5)
    doubled = np.column_stack([features, features])
    probe = fit_linear_probe(doubled, targets)
    np.testing.assert_allclose(probe.coefficients[:20], probe.coefficients[20:], atol=1e-8)
    np.testing.assert_allclose(
        probe.predict(doubled), fit_linear_probe(features, targets).predict(features), atol=1e-8
    )


def test_residuals_are_orthogonal_and_centred():
    features, targets = draw(6)
    residual = targets - fit_linear_probe(features, targets).predict(features)
    np.testing.assert_allclose(residual.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(features.T @ residual / len(features), 0, atol=1e-9)


def test_missing_labels_are_left_out_target_by_target():
    features, targets = draw(7)
    generator = np.random.default_rng(0)
    targets[generator.random(targets.shape) < 0.3] = np.nan
    targets[:, 3] = targets[:, 2]
    probe = fit_linear_probe(features, targets)
    for target in range(4):
        rows = ~np.isnan(targets[:, target])
        slope, offset = lstsq_with_intercept(features[rows], targets[rows, target])
        np.testing.assert_allclose(probe.coefficients[:, target], slope, atol=1e-9)
        np.testing.assert_allclose(probe.intercept[target], offset, atol=1e-9)


def test_a_target_without_labels_is_nan_and_does_not_touch_the_others():
    features, targets = draw(8)
    with_gap = targets.copy()
    with_gap[:, 1] = np.nan
    probe = fit_linear_probe(features, with_gap)
    assert np.isnan(probe.coefficients[:, 1]).all()
    expected = fit_linear_probe(features, targets)
    np.testing.assert_allclose(probe.coefficients[:, 0], expected.coefficients[:, 0], atol=1e-12)
    scores = linear_probe_r2(features, with_gap, features, targets)
    assert np.isnan(scores[1])
    assert np.isfinite(np.delete(scores, 1)).all()


def test_r2_equals_the_slow_version_and_may_be_negative():
    features, targets = draw(9)
    test_features, test_targets = draw(10)
    test_targets[np.random.default_rng(1).random(test_targets.shape) < 0.2] = np.nan
    got = linear_probe_r2(features, targets, test_features, test_targets)
    predicted = fit_linear_probe(features, targets).predict(test_features)
    np.testing.assert_allclose(got, slow_r2(test_targets, predicted), atol=1e-12)
    assert got.dtype == np.float64
    assert got.min() < 0


def test_a_perfect_linear_relation_has_r2_of_one():
    features, _ = draw(11)
    targets = features[:, :3] * 2 - 7
    np.testing.assert_allclose(linear_probe_r2(features, targets, features, targets), 1.0)


def test_one_target_may_be_one_dimensional():
    features, targets = draw(12)
    first = linear_probe_r2(features, targets[:, 0], features, targets[:, 0])
    assert first.shape == (1,)
    np.testing.assert_allclose(first, linear_probe_r2(features, targets, features, targets)[:1])


@pytest.mark.parametrize("offset", [1.0, 100.0])
def test_constant_features_give_the_mean_and_no_fit_of_rounding(offset):
    # An untrained encoder: float32 features that differ only in their last bits.
    generator = np.random.default_rng(2)
    level = offset * generator.normal(size=512)
    wobble = 1e-7 * offset * generator.normal(size=(3000, 512))
    features = (level + wobble).astype(np.float32)
    targets = generator.normal(size=(3000, 2))
    scores = linear_probe_r2(features[:2000], targets[:2000], features[2000:], targets[2000:])
    assert np.abs(scores).max() < 0.005


def test_small_but_real_variation_is_used():
    generator = np.random.default_rng(3)
    signal = generator.normal(size=(2000, 1))
    features = (1.0 + 1e-3 * signal @ generator.normal(size=(1, 32))).astype(np.float32)
    scores = linear_probe_r2(features[:1000], signal[:1000], features[1000:], signal[1000:])
    assert scores[0] > 0.99


def test_fewer_patients_than_dimensions_give_the_shortest_solution():
    features, targets = draw(13, num=10, dim=30)
    probe = fit_linear_probe(features, targets)
    np.testing.assert_allclose(probe.predict(features), targets, atol=1e-8)
    centred = features - features.mean(axis=0)
    expected = np.linalg.pinv(centred) @ (targets - targets.mean(axis=0))
    np.testing.assert_allclose(probe.coefficients, expected, atol=1e-8)


def test_one_patient_gives_its_own_labels():
    probe = fit_linear_probe(np.ones((1, 4)), np.array([[3.0, np.nan]]))
    np.testing.assert_array_equal(probe.predict(np.zeros((2, 4)))[:, 0], [3.0, 3.0])


def test_float32_features_and_labels_are_computed_in_float64():
    features, targets = draw(14)
    narrow = features.astype(np.float32)
    probe = fit_linear_probe(narrow, targets.astype(np.float32))
    slope, offset = lstsq_with_intercept(narrow, targets.astype(np.float32).astype(np.float64))
    np.testing.assert_allclose(probe.coefficients, slope, atol=1e-10)
    np.testing.assert_allclose(probe.intercept, offset, atol=1e-10)


def test_large_inputs_in_chunks_equal_one_solve():
    generator = np.random.default_rng(4)
    features = generator.normal(size=(9000, 8))
    targets = features @ generator.normal(size=(8, 2)) + generator.normal(size=(9000, 2))
    slope, _ = lstsq_with_intercept(features, targets)
    np.testing.assert_allclose(fit_linear_probe(features, targets).coefficients, slope, atol=1e-11)


@pytest.mark.usefixtures("unchecked_shapes")
def test_bad_inputs_are_named():
    features, targets = draw(15)
    broken = features.copy()
    broken[[17, 30], 3] = np.nan, np.inf
    with pytest.raises(EvaluationError, match=r"2 of 400 rows hold NaN or infinity.*row 17"):
        fit_linear_probe(broken, targets)
    with pytest.raises(EvaluationError, match=r"expected \[patient, dim\], got shape \(400,\)"):
        fit_linear_probe(features[:, 0], targets)
    with pytest.raises(EvaluationError, match=r"\[400 patients, target\], got shape \(399, 4\)"):
        fit_linear_probe(features, targets[:-1])
    with pytest.raises(EvaluationError, match="at least one patient"):
        fit_linear_probe(features[:0], targets[:0])
    with pytest.raises(EvaluationError, match="fitted on 20 dimensions, got 19"):
        fit_linear_probe(features, targets).predict(features[:, :-1])
    with pytest.raises(EvaluationError, match="train has 4 targets, test has 3"):
        linear_probe_r2(features, targets, features, targets[:, :3])
    with pytest.raises(EvaluationError, match="infinite labels"):
        fit_linear_probe(features, np.where(targets > 4, np.inf, targets))


def test_a_probe_is_two_plain_arrays():
    probe = LinearProbe(np.array([[2.0], [0.5]]), np.array([1.0]))
    np.testing.assert_array_equal(probe.predict(np.array([[1.0, 2.0]])), [[4.0]])
