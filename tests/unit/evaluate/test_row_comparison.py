import numpy as np
import pytest

from ptacl_core.evaluate import r2
from ptacl_core.evaluate.resampling import draw_resamples
from ptacl_core.evaluate.row_comparison import compare_rows, paired_p_value, score_means, score_row


@pytest.fixture
def labels():
    generator = np.random.default_rng(3)
    observed = generator.normal(150.0, 30.0, size=(60, 3))
    observed[:7, 1] = np.nan
    return observed


@pytest.fixture
def resamples():
    return draw_resamples(60, generator=np.random.default_rng(4), num_resamples=300)


def noisy(observed, scale, seed):
    return observed + np.random.default_rng(seed).normal(scale=scale, size=observed.shape)


def test_each_resample_scores_as_its_copied_rows(labels, resamples):
    predicted = np.nan_to_num(noisy(labels, 20.0, 1), nan=140.0)
    scores = score_row(labels, predicted[None], resamples)
    for draw in (0, 17, 299):
        rows = np.repeat(np.arange(60), resamples.counts[draw])
        expected = r2(labels[rows], predicted[rows])
        np.testing.assert_allclose(scores.draws[draw, :3], expected, rtol=1e-9)
        assert scores.draws[draw, 3] == pytest.approx(np.mean(expected))


def test_seeds_are_averaged_after_scoring(labels, resamples):
    seeds = np.stack([noisy(labels, 15.0, 1), noisy(labels, 25.0, 2)])
    scores = score_row(labels, seeds, resamples)
    scores_by_seed = np.stack([r2(labels, values) for values in seeds])
    np.testing.assert_allclose(scores.mean[:3], scores_by_seed.mean(axis=0))
    np.testing.assert_allclose(scores.seed_sd[:3], scores_by_seed.std(axis=0, ddof=1))
    assert np.isnan(score_row(labels, seeds[:1], resamples).seed_sd).all()
    assert (scores.bound(0.025) < scores.mean).all()
    assert (scores.mean < scores.bound(0.975)).all()


def test_a_row_against_itself_is_not_separated(labels, resamples):
    row = score_row(labels, noisy(labels, 20.0, 1)[None], resamples)
    comparison = compare_rows(row, row)
    np.testing.assert_array_equal(comparison.difference, 0.0)
    assert set(comparison.verdicts) == {"not separated"}


def test_better_predictions_are_separated_and_the_other_way_reversed(labels, resamples):
    good = score_row(labels, noisy(labels, 5.0, 1)[None], resamples, is_trained=False)
    poor = score_row(labels, noisy(labels, 40.0, 2)[None], resamples, is_trained=False)
    forth, back = compare_rows(good, poor), compare_rows(poor, good)
    assert set(forth.verdicts) == {"separated"}
    assert set(back.verdicts) == {"reversed"}
    np.testing.assert_allclose(forth.difference, -back.difference)
    assert (forth.adjusted_p[:-1] >= forth.p_value[:-1]).all()


def test_p_values_are_never_zero_and_at_most_one():
    draws = np.column_stack([np.ones(99), np.zeros(99), np.full(99, np.nan)])
    assert paired_p_value(draws)[0] == pytest.approx(2 * 1 / 100)
    assert paired_p_value(draws)[1] == 1.0
    assert np.isnan(paired_p_value(draws)[2])


def test_a_constant_phenotype_has_no_figure_and_leaves_the_mean(labels, resamples):
    labels[:, 2] = 7.0
    predicted = noisy(labels, 20.0, 1)
    scores = score_row(labels, predicted[None], resamples)
    assert np.isnan(scores.mean[2])
    assert scores.mean[3] == pytest.approx(scores.mean[:2].mean())
    assert compare_rows(scores, scores).verdicts[2] == "not separated"


def test_means_leave_out_patients_without_the_figure(resamples):
    values = np.random.default_rng(5).random((2, 60, 2))
    values[:, :5, 0] = np.nan
    scores = score_means(values, resamples)
    np.testing.assert_allclose(scores.mean[:2], np.nanmean(values, axis=1).mean(axis=0))
    rows = np.repeat(np.arange(60), resamples.counts[8])
    expected = np.nanmean(values[:, rows], axis=1).mean(axis=0)
    np.testing.assert_allclose(scores.draws[8, :2], expected)


@pytest.mark.parametrize(
    ("num_seeds", "verdict"),
    [(1, "too few trainings"), (2, "too few trainings"), (3, "separated on these trainings"),
     (4, "separated on these trainings"), (5, "separated")],
)  # fmt: skip
def test_a_verdict_says_no_more_than_the_trainings_allow(labels, resamples, num_seeds, verdict):
    good = np.stack([noisy(labels, 5.0, seed) for seed in range(num_seeds)])
    poor = np.stack([noisy(labels, 40.0, 50 + seed) for seed in range(num_seeds)])
    rows = [score_row(labels, values, resamples) for values in (good, poor)]
    assert compare_rows(*rows).verdicts[-1] == verdict
    mirrored = {"separated": "reversed", "separated on these trainings": "reversed on these "
                "trainings"}  # fmt: skip
    assert compare_rows(*rows[::-1]).verdicts[-1] == mirrored.get(verdict, verdict)
    assert compare_rows(rows[0], rows[0]).verdicts[-1] == "not separated"


def test_seeds_are_resampled_with_the_patients(labels, resamples):
    alike = np.stack([noisy(labels, 10.0, 1)] * 5)
    spread = np.stack([noisy(labels, scale, 1) for scale in (1.0, 5.0, 10.0, 15.0, 25.0)])
    one = score_row(labels, alike[:1], resamples)
    np.testing.assert_allclose(score_row(labels, alike, resamples).draws, one.draws)
    wide, narrow = (
        score_row(labels, spread, resamples),
        score_row(labels, spread, resamples, is_trained=False),
    )
    assert (wide.bootstrap_sd > 1.3 * narrow.bootstrap_sd).all()
    np.testing.assert_allclose(wide.mean, narrow.mean)
