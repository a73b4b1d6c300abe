import numpy as np
import pytest

from ptacl_core.evaluate import EvaluationError, r2
from ptacl_core.evaluate.bars import (
    PENALTIES,
    Ridge,
    fit_linear_alignment,
    labels_needed,
    mean_beat_features,
    measure_label_curve,
    pixel_features,
)


def by_definition(train, test, labels, penalty, covariates=(None, None)):
    """Penalised least squares with unpenalised columns, solved whole."""
    mean, sd = train.mean(0), train.std(0) * np.sqrt(train.shape[1])
    scaled, scaled_test = (train - mean) / sd, (test - mean) / sd
    fixed = [
        np.ones((len(x), 1)) if c is None else np.column_stack([np.ones(len(x)), c])
        for x, c in zip((train, test), covariates, strict=True)
    ]
    design = np.hstack([fixed[0], scaled])
    ridge = np.diag([0.0] * fixed[0].shape[1] + [penalty] * train.shape[1])
    slope = np.linalg.solve(design.T @ design + ridge, design.T @ labels)
    return np.hstack([fixed[1], scaled_test]) @ slope


def chosen_by_folds(train, labels, covariates=None):
    mean, sd = train.mean(0), train.std(0) * np.sqrt(train.shape[1])
    # Features keep the scale of all training patients inside the folds.
    errors = []
    for penalty in PENALTIES:
        error = np.zeros(labels.shape[1])
        for fold in range(5):
            out = np.arange(len(train)) % 5 == fold
            fixed = np.ones((len(train), 1))
            if covariates is not None:
                fixed = np.column_stack([fixed, covariates])
            design = np.hstack([fixed, (train - mean) / sd])
            weight = np.diag([0.0] * fixed.shape[1] + [penalty] * train.shape[1])
            kept = design[~out]
            slope = np.linalg.solve(kept.T @ kept + weight, kept.T @ labels[~out])
            error += np.square(labels[out] - design[out] @ slope).sum(axis=0)
        errors.append(error)
    return np.asarray(PENALTIES)[np.argmin(errors, axis=0)]


@pytest.mark.parametrize("dim", [4, 60])
@pytest.mark.parametrize("with_covariates", [False, True])
def test_ridge_is_penalised_least_squares_with_inner_folds(dim, with_covariates):
    rng = np.random.default_rng(dim)
    features = rng.normal(size=(60, dim)) * rng.uniform(0.1, 9, dim) + 3
    labels = features[:, :2] @ rng.normal(size=(2, 3)) + rng.normal(size=(60, 3))
    people = rng.normal(size=(60, 2)) if with_covariates else None
    train, test = features[:40], features[40:]
    covariates = (people[:40], people[40:]) if people is not None else (None, None)
    ridge = Ridge(train, test, train_covariates=covariates[0], test_covariates=covariates[1])
    predicted = ridge.predict(labels[:40])
    penalties = chosen_by_folds(train, labels[:40], covariates[0])
    for column, penalty in enumerate(penalties):
        expected = by_definition(train, test, labels[:40, column], penalty, covariates)
        np.testing.assert_allclose(predicted[:, column], expected, rtol=1e-6, atol=1e-7)


def test_both_ways_of_solving_agree_for_few_and_many_labels():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(200, 30))
    labels = features[:, :1] + rng.normal(size=(200, 1))
    narrow = Ridge(features[:150], features[150:])
    wide = Ridge(np.tile(features[:150], 8), np.tile(features[150:], 8))
    for count in (20, 120):
        np.testing.assert_allclose(
            narrow.predict(labels[:150], labelled=np.arange(count)),
            wide.predict(labels[:150], labelled=np.arange(count)),
            rtol=1e-8,
        )


def test_absent_labels_leave_out_their_patients_per_target():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(80, 5))
    labels = features[:, :2] + rng.normal(size=(80, 2))
    labels[::3, 1] = np.nan
    ridge = Ridge(features[:60], features[60:])
    both = ridge.predict(labels[:60])
    kept = np.flatnonzero(np.isfinite(labels[:60, 1]))
    np.testing.assert_allclose(both[:, 1], ridge.predict(labels[:60, 1:], labelled=kept)[:, 0])
    nothing = np.full((60, 1), np.nan)
    nothing[0] = 1.0
    assert np.isnan(ridge.predict(nothing)).all()


def test_absent_and_constant_features_say_nothing():
    rng = np.random.default_rng(3)
    features = rng.normal(size=(50, 3))
    labels = features[:, :1] * 2 + 1
    features[:, 2] = 0.1 + 1e-12 * rng.normal(size=50)
    test = np.array([[np.nan, np.nan, np.nan], [0.0, 0.0, 9e9]])
    predicted = Ridge(features, test).predict(labels)
    assert predicted[0, 0] == pytest.approx(labels.mean(), abs=1e-6)
    assert predicted[1, 0] == pytest.approx(1.0, abs=1e-2)


def test_ridge_refuses_widths_that_differ():
    with pytest.raises(EvaluationError, match="one width"):
        Ridge(np.ones((5, 3)), np.ones((5, 4)))


def test_more_labels_are_nested_and_the_last_point_is_exact():
    rng = np.random.default_rng(4)
    features = rng.normal(size=(500, 40))
    labels = features @ rng.normal(size=(40, 2)) + 4 * rng.normal(size=(500, 2))
    ridge = Ridge(features[:400], features[400:])
    curve = measure_label_curve(ridge, labels[:400], counts=(20, 200, 400, 900), num_draws=3)
    assert [(point.num_labels, point.is_all) for point in curve.points] == [
        (20, False),
        (200, False),
        (400, True),
    ]
    assert [point.predicted.shape for point in curve.points] == [(3, 100, 2)] * 2 + [(1, 100, 2)]
    np.testing.assert_array_equal(curve.with_all, ridge.predict(labels[:400]))
    scores = [
        np.mean([r2(labels[400:], predicted) for predicted in p.predicted]) for p in curve.points
    ]
    assert scores == sorted(scores)


def test_labels_needed_lies_on_the_line_over_the_logarithm():
    counts, scores = (50, 100, 400), (0.1, 0.2, 0.4)
    assert labels_needed(0.3, counts, scores) == (pytest.approx(200.0), True)
    assert labels_needed(0.2, counts, scores) == (pytest.approx(100.0), True)
    assert labels_needed(0.05, counts, scores) == (50.0, True)
    assert labels_needed(0.41, counts, scores) == (400.0, False)
    assert labels_needed(float("nan"), counts, scores) == (400.0, False)
    assert labels_needed(0.3, counts, (0.1, 0.35, 0.34))[0] < 100


def test_mean_beat_of_a_periodic_signal_is_its_cycle():
    peaks = np.arange(100, 5000, 400)
    phase = (np.arange(5000) - 100) / 400
    signal = np.stack([np.sin(2 * np.pi * phase + lead) for lead in range(12)])
    features = mean_beat_features(signal[None], [peaks])[0]
    at = (np.arange(104) + 0.5) / 104 - 0.5 / 400
    expected = [np.sin(2 * np.pi * at + lead) for lead in range(12)]
    np.testing.assert_allclose(features[:-1].reshape(12, 104), expected, atol=1e-3)
    assert features[-1] == pytest.approx(0.8)


def test_premature_beats_are_left_out_and_no_beat_is_nan():
    signal = np.zeros((2, 12, 5000))
    signal[0, :, 401:590] = 100.0
    peaks = [np.array([0, 400, 590, 1000, 1400]), np.array([2500])]
    features = mean_beat_features(signal, peaks)
    assert np.abs(features[0, :-1]).max() == 0.0
    assert np.isnan(features[1]).all()


def test_pixels_are_means_of_blocks_and_phases():
    clip = np.zeros((1, 50, 84, 84), np.uint8)
    clip[0, :4, :6, :6] = 200
    features = pixel_features(clip).reshape(13, 14, 14)
    assert features[0, 0, 0] == pytest.approx(200.0)
    assert features.sum() == pytest.approx(200.0)


def test_linear_alignment_finds_what_two_modalities_share():
    rng = np.random.default_rng(5)
    shared = rng.normal(size=(800, 2))
    turns = [np.linalg.qr(rng.normal(size=(size, size)))[0] for size in (6, 7)]
    first = np.hstack([shared, rng.normal(size=(800, 4))]) @ turns[0]
    second = np.hstack([shared, rng.normal(size=(800, 5))]) @ turns[1]
    fitted = fit_linear_alignment(first[:600], second[:600], num_components=2)
    assert fitted.correlations.shape == (2,)
    assert fitted.correlations.min() > 0.8
    ecg, cmr = fitted.embed_first(first[600:]), fitted.embed_second(second[600:])
    residual = shared[600:] - ecg @ np.linalg.lstsq(ecg, shared[600:], rcond=None)[0]
    assert np.square(residual).sum() < 0.15 * np.square(shared[600:]).sum()
    assert np.corrcoef(ecg[:, 0], cmr[:, 0])[0, 1] > 0.85


def test_linear_alignment_of_more_features_than_patients_finds_chance_only():
    rng = np.random.default_rng(6)
    first, second = rng.normal(size=(60, 200)), rng.normal(size=(60, 150))
    fitted = fit_linear_alignment(first, second)
    held = rng.normal(size=(300, 200)), rng.normal(size=(300, 150))
    ecg, cmr = fitted.embed_first(held[0]), fitted.embed_second(held[1])
    assert abs(np.corrcoef(ecg[:, 0], cmr[:, 0])[0, 1]) < 0.2
    np.testing.assert_allclose(
        fitted.embed_first(np.full((1, 200), np.nan)), np.zeros((1, 32)), atol=1e-12
    )
