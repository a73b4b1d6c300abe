import numpy as np
import pytest

from ptacl_core.evaluate import (
    EvaluationError,
    OutlierDetector,
    alignment_map,
    fit_outlier_detector,
    measure_alignment,
)
from ptacl_core.evaluate.prototypes import fit_prototypes

NUM_STEPS = 13


def phases(generator, num, *, dim=32, noise=0.0):
    """The same thirteen orthonormal directions in every patient, and noise."""
    basis = np.linalg.qr(generator.normal(size=(dim, dim)))[0][:NUM_STEPS]
    return basis + noise * generator.normal(size=(num, NUM_STEPS, dim))


def test_map_equals_the_loop_and_ignores_invalid_patients():
    generator = np.random.default_rng(0)
    ecg, cmr = generator.normal(size=(2, 9, NUM_STEPS, 6))
    is_valid = generator.random(9) < 0.6
    expected = np.zeros((NUM_STEPS, NUM_STEPS))
    for k in range(NUM_STEPS):
        for t in range(NUM_STEPS):
            expected[k, t] = np.mean(
                [
                    e[k] @ c[t] / np.linalg.norm(e[k]) / np.linalg.norm(c[t])
                    for e, c in zip(ecg[is_valid], cmr[is_valid], strict=True)
                ]
            )
    np.testing.assert_allclose(alignment_map(ecg, cmr, is_valid=is_valid), expected, atol=1e-12)
    broken = ecg.copy()
    broken[~is_valid] = np.nan
    np.testing.assert_array_equal(
        alignment_map(broken, cmr, is_valid=is_valid), alignment_map(ecg, cmr, is_valid=is_valid)
    )


def test_perfect_alignment():
    space = phases(np.random.default_rng(1), 20)
    measures = measure_alignment(space, 3.0 * space)
    np.testing.assert_allclose(measures.mean_map, np.eye(NUM_STEPS), atol=1e-12)
    assert (measures.top1 == 1).all()
    assert (measures.within1 == 1).all()
    assert (measures.circular_offset == 0).all()
    assert measures.rank_correlation == pytest.approx(1.0)
    weight = np.exp(10.0) / (np.exp(10.0) + 12)  # cos 1 and 0 at temperature 0.1
    rest = (1 - weight) / 12
    assert measures.diagonal_mass == pytest.approx(weight + rest * 24 / 13)
    entropy = -(weight * np.log(weight) + 12 * rest * np.log(rest))
    assert measures.entropy_nats == pytest.approx(entropy)


@pytest.mark.parametrize("shift", [1, 3, 6, 12])
def test_shifted_content_moves_the_ridge(shift):
    space = phases(np.random.default_rng(2), 5)
    measures = measure_alignment(space, np.roll(space, shift, axis=1))
    expected = (np.arange(NUM_STEPS) + shift) % NUM_STEPS
    np.testing.assert_array_equal(measures.best_step, np.tile(expected, (5, 1)))
    np.testing.assert_allclose(measures.circular_offset, min(shift, NUM_STEPS - shift))
    assert (measures.top1 == 0).all()


def test_unrelated_steps_are_at_chance():
    generator = np.random.default_rng(3)
    ecg, cmr = generator.normal(size=(2, 1500, NUM_STEPS, 24))
    measures = measure_alignment(ecg, cmr)
    assert measures.top1.mean() == pytest.approx(1 / 13, abs=0.008)
    # Inner phases have three near columns, the two ends have two.
    assert measures.within1.mean() == pytest.approx((3 * 13 - 2) / 169, abs=0.012)
    assert measures.circular_offset.mean() == pytest.approx(2 * sum(range(7)) / 13, abs=0.1)
    assert measures.diagonal_mass == pytest.approx((3 * 13 - 2) / 169, abs=0.01)
    assert measures.entropy_nats == pytest.approx(np.log(13), abs=0.01)
    assert abs(measures.rank_correlation) < 0.03


def test_interval_is_over_patients():
    generator = np.random.default_rng(4)
    space = phases(generator, 40, noise=0.3)
    measures = measure_alignment(space, phases(generator, 40) * 0 + space[::-1])
    interval = measures.interval(generator=generator, num_resamples=300)
    table = [measures.top1.mean(), measures.within1.mean(), measures.circular_offset.mean()]
    np.testing.assert_allclose(interval.estimate, table)
    assert (interval.low <= interval.estimate).all()
    assert (interval.estimate <= interval.high).all()


def test_a_zero_step_has_cosine_zero():
    space = phases(np.random.default_rng(5), 2)
    space[:, 4] = 0
    assert (alignment_map(space, space)[4] == 0).all()


@pytest.mark.usefixtures("unchecked_shapes")
def test_alignment_says_what_is_missing():
    space = np.ones((3, NUM_STEPS, 4))
    with pytest.raises(EvaluationError, match="no patient with a valid beat"):
        measure_alignment(space, space, is_valid=np.zeros(3, bool))
    with pytest.raises(EvaluationError, match=r"\(3, 13, 4\) and \(2, 13, 4\)"):
        alignment_map(space, space[:2])
    with pytest.raises(EvaluationError, match="NaN or infinity"):
        alignment_map(space * np.nan, space)
    with pytest.raises(EvaluationError, match="expected 3 flags"):
        alignment_map(space, space, is_valid=np.ones(2, bool))


@pytest.fixture(scope="module")
def clouds():
    generator = np.random.default_rng(6)
    mixing = generator.normal(size=(6, 6)) * np.geomspace(0.1, 10, 6)
    train, validation, test = (generator.normal(size=(n, 6)) @ mixing + 3 for n in (1500, 600, 600))
    return mixing, train, validation, test


def test_threshold_keeps_the_chosen_share(clouds):
    _, train, validation, test = clouds
    detector = fit_outlier_detector(train, validation, quantile=0.95)
    assert detector.is_outlier(validation).mean() == pytest.approx(0.05, abs=0.01)
    assert detector.is_outlier(test).mean() == pytest.approx(0.05, abs=0.03)


def test_far_points_are_flagged_and_nearer_ones_score_lower(clouds):
    mixing, train, validation, _ = clouds
    detector = fit_outlier_detector(train, validation)
    direction = np.array([[1.0, 0, 0, 0, 0, 0]]) @ mixing
    scores = detector.score(3 + np.array([[0.0], [3], [6], [12]]) * direction)
    assert (np.diff(scores) > 0).all()
    assert scores[0] < 1 < scores[2]


def test_a_hole_inside_the_cloud_is_seen_by_the_neighbours():
    generator = np.random.default_rng(7)
    angle = generator.uniform(0, 2 * np.pi, size=3000)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ring += 0.03 * generator.normal(size=ring.shape)
    detector = fit_outlier_detector(ring[:2000], ring[2000:])
    assert detector.is_outlier(np.zeros((1, 2)))[0]
    assert detector.distances(np.zeros((1, 2)))[0, 0] < 0.2


def test_distances_equal_their_definitions(clouds):
    _, train, validation, test = clouds
    detector = fit_outlier_detector(train, validation)
    distances = detector.distances(test[:20])
    from sklearn.covariance import ledoit_wolf

    inverse = np.linalg.inv(ledoit_wolf(train)[0])
    deviation = test[:20] - train.mean(axis=0)
    mahalanobis = np.sqrt(np.einsum("pd,de,pe->p", deviation, inverse, deviation))
    np.testing.assert_allclose(distances[:, 0], mahalanobis, rtol=1e-8)
    centres, radii = detector.prototypes.centres, detector.prototypes.radii
    whitened = deviation @ detector.whitening
    apart = np.linalg.norm(whitened[:, None] - centres[None], axis=2)
    expected = np.sqrt(apart**2 + radii**2).min(axis=1)
    in_radii = radii.mean() * (apart / radii).min(axis=1)
    np.testing.assert_allclose(distances[:, 1], (expected + in_radii) / 2, rtol=1e-8)


def test_prototypes_stand_for_ten_people_at_least(clouds):
    _, train, validation, _ = clouds
    people = [f"p{row // 3}" for row in range(len(train))]  # three visits each
    detector = fit_outlier_detector(train, validation, people=people)
    whitened = (train - detector.mean) @ detector.whitening
    centres = detector.prototypes.centres
    assert len(centres) > 20
    nearest = np.linalg.norm(whitened[:, None] - centres[None], axis=2).argmin(axis=1)
    names = np.array(people)
    num_people = [len(set(names[nearest == group])) for group in range(len(centres))]
    assert np.quantile(num_people, 0.2) >= 5
    alone = fit_prototypes(whitened[:20], people=["one"] * 16 + ["a", "b", "c", "d"])
    assert len(alone.centres) == 1
    np.testing.assert_allclose(alone.centres[0], whitened[:20].mean(axis=0))


def test_no_training_row_is_found_again_in_what_is_stored(clouds):
    _, train, validation, _ = clouds
    detector = fit_outlier_detector(train, validation)
    rows = np.concatenate(
        [
            detector.prototypes.centres,
            detector.prototypes.centres @ np.linalg.pinv(detector.whitening) + detector.mean,
        ]
    )
    for points in (train, (train - detector.mean) @ detector.whitening):
        spread = points.std(axis=0)
        gap = np.abs((points[:, None] - rows[None]) / spread).max(axis=2).min()
        assert gap > 1e-3


def test_it_is_plain_arrays(clouds):
    _, train, validation, test = clouds
    detector = fit_outlier_detector(train, validation)
    arrays = detector.as_arrays()
    assert all(isinstance(value, np.ndarray) for value in arrays.values())
    rebuilt = OutlierDetector.from_arrays(arrays)
    np.testing.assert_array_equal(rebuilt.score(test), detector.score(test))
    with pytest.raises(EvaluationError, match="missing arrays scales"):
        OutlierDetector.from_arrays({k: v for k, v in arrays.items() if k != "scales"})


def test_constant_directions_are_left_out(clouds):
    _, train, validation, test = clouds

    def widen(features):
        return np.column_stack([features, np.ones(len(features))])

    detector = fit_outlier_detector(widen(train), widen(validation))
    assert np.isfinite(detector.score(widen(test))).all()


def test_outliers_say_what_is_wrong(clouds):
    _, train, validation, test = clouds
    with pytest.raises(EvaluationError, match="5 training and 600 validation"):
        fit_outlier_detector(train[:5], validation)
    detector = fit_outlier_detector(train, validation)
    with pytest.raises(EvaluationError, match="6 dimensions, got 5"):
        detector.score(test[:, :5])
    with pytest.raises(EvaluationError, match="hold NaN"):
        detector.score(test * np.nan)
