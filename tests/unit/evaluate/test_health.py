import math

import numpy as np
import pytest

from ptacl_core.evaluate import EvaluationError
from ptacl_core.evaluate.health import (
    HealthThresholds,
    StageFigures,
    effective_rank,
    judge_learning,
    measure_contrast,
    measure_spread,
)


def test_effective_rank_counts_directions_of_equal_variance():
    axes = np.concatenate([np.eye(6), -np.eye(6)])
    assert effective_rank(axes) == pytest.approx(6.0)
    assert effective_rank(axes + 5.0) == pytest.approx(6.0)


def test_effective_rank_of_two_unequal_variances_by_hand():
    patients = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    expected = math.exp(-(0.9 * math.log(0.9) + 0.1 * math.log(0.1)))
    figures = measure_spread(patients)
    assert figures.effective_rank == pytest.approx(expected)
    assert figures.first_share == pytest.approx(0.9)


def test_embeddings_on_a_line_or_all_alike_have_rank_one():
    assert effective_rank(np.outer(np.arange(9.0), np.ones(5))) == pytest.approx(1.0)
    alike = measure_spread(np.full((8, 5), 0.3))
    assert (alike.effective_rank, alike.mean_cosine) == (1.0, pytest.approx(1.0))


def test_mean_cosine_leaves_out_each_patient_with_itself():
    assert measure_spread(np.eye(4)).mean_cosine == pytest.approx(0.0)
    pair = np.array([[1.0, 0.0], [math.cos(1.0), math.sin(1.0)]])
    assert measure_spread(pair).mean_cosine == pytest.approx(math.cos(1.0))


def test_spread_of_one_patient_is_refused():
    with pytest.raises(EvaluationError, match="at least two patients, got 1"):
        measure_spread(np.ones((1, 3)))


def test_embeddings_that_are_all_alike_have_the_loss_ln_b_and_no_retrieval():
    alike = np.ones((32, 4))
    figures = measure_contrast(alike, alike, temperature=0.1, batch_size=16)
    assert figures.loss == pytest.approx(math.log(16))
    assert figures.loss / figures.chance_loss == pytest.approx(1.0)
    assert (figures.top1, figures.chance_top1) == (0.0, pytest.approx(1 / 16))


def test_orthogonal_pairs_have_the_loss_of_equation_one_in_closed_form():
    axes = np.eye(8)
    figures = measure_contrast(axes, axes, temperature=0.5, batch_size=8)
    assert figures.loss == pytest.approx(math.log(1 + 7 * math.exp(-2.0)))
    assert figures.top1 == 1.0


def test_contrast_agrees_with_the_loss_that_training_uses():
    torch = pytest.importorskip("torch")
    from ptacl_core.losses import patient_alignment_loss

    rng = np.random.default_rng(3)
    ecg, cmr = rng.normal(size=(12, 5)), rng.normal(size=(12, 5))
    loss = patient_alignment_loss(torch.tensor(ecg), torch.tensor(cmr), temperature=0.2)
    figures = measure_contrast(ecg, cmr, temperature=0.2, batch_size=12)
    assert figures.loss == pytest.approx(float(loss), rel=1e-6)


def test_visits_of_one_person_are_not_each_others_negatives():
    axes = np.eye(4)
    ecg = axes[[0, 0, 1, 2]]
    figures = measure_contrast(
        ecg, ecg, temperature=0.5, batch_size=4, patients=["a", "a", "b", "c"]
    )
    lone, paired = math.log(1 + 2 * math.exp(-2.0)), math.log(1 + 3 * math.exp(-2.0))
    assert figures.loss == pytest.approx((2 * lone + 2 * paired) / 4)
    assert figures.chance_loss == pytest.approx((2 * math.log(3) + 2 * math.log(4)) / 4)
    assert figures.top1 == 1.0


def test_a_last_patient_alone_joins_no_batch():
    axes = np.eye(5)
    assert measure_contrast(axes, axes, temperature=1.0, batch_size=4).num_patients == 4


HEALTHY = StageFigures(
    "validation",
    contrastive_loss=1.9,
    chance_loss=math.log(16),
    effective_ranks={"ECG embeddings": 12.0},
    reconstruction_loss=0.7,
    mean_predictor_loss=1.0,
    r2={"ECG": 0.3},
    random_r2={"ECG": 0.15},
)


def test_a_stage_with_good_figures_has_learned():
    verdict = judge_learning((HEALTHY,))
    assert verdict.learned
    assert verdict.reasons == ()


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"contrastive_loss": 0.97 * math.log(16)}, "ln B"),
        ({"contrastive_loss": math.nan}, "ln B"),
        ({"effective_ranks": {"CMR embeddings": 3.99}}, "effective rank of the CMR embeddings"),
        ({"reconstruction_loss": 0.98}, "predicting the mean"),
        ({"regression_loss": 1.0, "mean_regression_loss": 1.0}, "not below"),
        ({"r2": {"ECG": 0.089}, "random_r2": {"ECG": 0.152}}, "untrained encoder"),
    ],
)
def test_each_failure_is_told_with_what_to_try(changed, word):
    figures = {name: getattr(HEALTHY, name) for name in HEALTHY.__slots__} | changed
    verdict = judge_learning((StageFigures(**figures),))
    assert not verdict.learned
    assert len(verdict.reasons) == 1
    assert word in verdict.reasons[0]
    assert "validation" in verdict.reasons[0]
    assert verdict.hints


def test_thresholds_are_settings_and_one_bad_split_is_enough():
    loose = HealthThresholds(contrastive_share=1.1, min_effective_rank=1.5)
    collapsed = StageFigures(
        "training", contrastive_loss=2.77, chance_loss=2.7726, effective_ranks={"ECG": 2.3}
    )
    assert judge_learning((collapsed,), thresholds=loose).learned
    assert len(judge_learning((HEALTHY, collapsed)).reasons) == 2
