import json
from dataclasses import replace

import numpy as np
import pytest

from ptacl_core.documents.figures import Bounded
from ptacl_core.embedding.coverage import evaluate_coverage, predict_split
from ptacl_core.embedding.readout_fit import fit_split_readout, score_people
from ptacl_core.embedding.subgroups import evaluate_subgroups
from ptacl_core.evaluate import draw_resamples
from ptacl_core.records import PHENOTYPE_NAMES, Person
from ptacl_core.stages.evaluate.events import evaluate_events
from ptacl_core.stages.evaluate.steps.control_figures import judge_others, judge_shifts, judge_some
from ptacl_core.stages.predict.answer import answer_phenotypes

NUM_STEPS = 13


@pytest.fixture(scope="module")
def features(train, held_out):
    """ECG features that know half of each phenotype, of train and test."""

    def make(split, seed):
        noise = np.random.default_rng(seed).normal(size=(len(split), 10))
        return ((split.phenotypes - 100) / 30 + 0.5 * noise).astype(np.float64)

    return make(train, 21), make(held_out, 22)


@pytest.fixture(scope="module")
def readout(train, features):
    half = len(train) // 4
    parts = [
        (replace_rows(train, rows), features[0][rows])
        for rows in (np.arange(half), np.arange(half, len(train)))
    ]
    return fit_split_readout(*parts, checkpoint_sha256="", preprocessing_hash="")


def replace_rows(split, rows):
    return replace(
        split,
        rows=split.rows[rows],
        patients=tuple(split.patients[row] for row in rows),
        visits=split.visits[rows],
        phenotypes=split.phenotypes[rows],
        covariates=split.covariates[rows],
        sex=tuple(split.sex[row] for row in rows),
        heart_rate_bpm=split.heart_rate_bpm[rows],
        ecg_codes=tuple(split.ecg_codes[row] for row in rows),
        is_irregular=split.is_irregular[rows],
        has_warning=split.has_warning[rows],
    )


def cover(readout, features, split):
    return evaluate_coverage(readout, predict_split(readout, features[1], split), split)


def test_coverage_is_nominal_overall_and_by_group(readout, features, held_out):
    coverage, summary = cover(readout, features, held_out)
    assert summary.verdict == "held"
    assert set(coverage) == set(PHENOTYPE_NAMES)
    for cells in coverage.values():
        assert cells.overall.low <= 0.9 + 0.05
        assert cells.overall.high >= 0.9 - 0.05
        assert cells.overall.n == 240
        assert cells.overall.p_adjusted >= cells.overall.p_value
        assert set(cells.groups) == {f"{s} {a}" for s in "FM" for a in ("<55", "55-65", ">65")}
        assert sum(cell.n for cell in cells.groups.values()) == 240
        assert sum(cell.covered for cell in cells.groups.values()) == cells.overall.covered


def test_a_shifted_cohort_is_said_to_fail(readout, features, held_out):
    """Hearts a good deal larger than those calibrated on, with the same ECGs."""
    shifted = replace(held_out, phenotypes=held_out.phenotypes + 45.0)
    coverage, summary = cover(readout, features, shifted)
    assert summary.verdict == "failed"
    assert ("lvm_g", "overall") in {(cell.phenotype, cell.group) for cell in summary.failed}
    assert summary.text.startswith("FAILED")
    assert "do not rely on the intervals" in summary.text
    assert coverage["lvm_g"].overall.high < 0.9


def test_a_shift_in_one_group_is_found_there(readout, features, held_out):
    is_old_woman = (np.array(held_out.sex) == "F") & (held_out.covariates[:, 1] > 65)
    shifted = replace(held_out, phenotypes=held_out.phenotypes + 80.0 * is_old_woman[:, None])
    _, summary = cover(readout, features, shifted)
    groups = {cell.group for cell in summary.failed}
    assert "F >65" in groups
    assert not groups & {"M <55", "M 55-65", "M >65", "F <55", "F 55-65"}


def test_coverage_without_labels_is_not_measured(readout, features, held_out):
    empty = replace(held_out, phenotypes=np.full((240, 10), np.nan))
    coverage, summary = cover(readout, features, empty)
    assert coverage == {}
    assert summary.verdict == "not measured"


def test_subgroups_add_up_and_the_worst_gap_is_found(held_out, resamples, features):
    predicted = held_out.phenotypes * 0.9 + 10
    is_male = np.array(held_out.sex) == "M"
    predicted[:, 5] += 40.0 * is_male  # mass of men overestimated by 40 g
    subgroups = evaluate_subgroups(held_out, predicted, resamples).model_dump()
    assert set(subgroups) == {"sex", "age", "bmi", "heart_rate", "rhythm", "quality", "worst_gap"}
    for grouping in ("sex", "age", "bmi", "heart_rate", "rhythm", "quality"):
        assert sum(group["n"] for group in subgroups[grouping].values()) == 240
    worst = subgroups["worst_gap"]["bias_sd"]
    assert (worst["grouping"], worst["phenotype"]) == ("sex", "lvm_g")
    assert (worst["lowest_group"], worst["highest_group"]) == ("F", "M")
    assert worst["gap"] == pytest.approx(40 / held_out.phenotypes[:, 5].std(), abs=0.25)
    cell = subgroups["sex"]["M"]["phenotypes"]["lvm_g"]
    assert cell["bias_low"] <= cell["bias"] <= cell["bias_high"]
    json.dumps(subgroups, allow_nan=False)


def test_groups_of_one_patient_and_unknown_people_do_no_harm(held_out, resamples):
    sex = ("", *held_out.sex[1:])
    covariates = held_out.covariates.copy()
    covariates[0] = np.nan
    lone = replace(
        held_out,
        sex=sex,
        covariates=covariates,
        heart_rate_bpm=np.full(240, np.nan),
        is_irregular=np.arange(240) == 3,
    )
    subgroups = evaluate_subgroups(lone, held_out.phenotypes * 0.9, resamples).model_dump()
    assert subgroups["sex"]["unknown"]["n"] == subgroups["rhythm"]["irregular"]["n"] == 1
    assert subgroups["rhythm"]["irregular"]["phenotypes"]["lvm_g"]["r2"] is None
    assert subgroups["rhythm"]["irregular"]["phenotypes"]["lvm_g"]["mean_absolute_error"] > 0
    assert list(subgroups["heart_rate"]) == ["unknown"]
    assert subgroups["worst_gap"]["mean_absolute_error_sd"]["grouping"] != "rhythm"
    json.dumps(subgroups, allow_nan=False)


def test_events_are_ranked_and_calibrated(held_out, resamples):
    generator = np.random.default_rng(3)
    noise = generator.normal(0, 2, size=(240, 10))
    residuals = -generator.normal(0, 2, size=(150, 10))
    judged = evaluate_events(held_out, held_out.phenotypes + noise, residuals, resamples)
    event = judged["lvef_pct<50"]
    assert event.events == int((held_out.phenotypes[:, 3] < 50).sum())
    auc, brier = event.auc, event.brier
    assert auc is not None
    assert auc.value is not None and auc.low is not None and auc.high is not None
    assert auc.low < auc.value <= auc.high
    assert auc.value > 0.8
    assert brier is not None
    assert brier.value is not None and event.brier_of_prevalence is not None
    assert brier.value < event.brier_of_prevalence
    assert event.ece is not None and event.ece < 0.1
    assert sum(tenth.n for tenth in event.reliability) == 240
    json.dumps(event.model_dump(), allow_nan=False)


def test_events_that_cannot_be_judged_say_why(held_out, resamples):
    none_below = replace(held_out, phenotypes=np.full((240, 10), 60.0))
    judged = evaluate_events(none_below, held_out.phenotypes, np.zeros((5, 10)), resamples)
    assert judged["lvef_pct<50"].auc is None
    assert "one side of the limit" in (judged["lvef_pct<50"].why or "")
    absent = replace(held_out, phenotypes=np.full((240, 10), np.nan))
    judged = evaluate_events(absent, held_out.phenotypes, np.zeros((5, 10)), resamples)
    assert judged["rvef_pct<45"].why == "no test patient has the label"
    judged = evaluate_events(held_out, held_out.phenotypes, np.empty((0, 10)), resamples)
    assert judged["lvef_pct<50"].why == "no validation label"


def test_z_scores_place_people_among_their_like(train, held_out):
    everybody = fit_split_readout(
        (train, train.phenotypes),
        (held_out, held_out.phenotypes),
        checkpoint_sha256="",
        preprocessing_hash="",
    )
    z_scores = score_people(everybody, held_out.phenotypes, held_out)
    assert z_scores.std() == pytest.approx(1.0, abs=0.06)
    is_male = np.array(held_out.sex) == "M"
    assert z_scores[is_male].mean() == pytest.approx(z_scores[~is_male].mean(), abs=0.1)
    covariates = held_out.covariates.copy()
    covariates[0, 2] = np.nan
    lacking = score_people(everybody, held_out.phenotypes, replace(held_out, covariates=covariates))
    assert np.isnan(lacking[0]).all()
    np.testing.assert_array_equal(lacking[1:], z_scores[1:])


def test_one_person_is_answered_with_group_and_z_scores(train, held_out):
    groups = [(train, train.phenotypes)] * 2  # all six groups have the labels for their own
    readout = fit_split_readout(*groups, checkpoint_sha256="", preprocessing_hash="")
    pooled = held_out.phenotypes[:1].astype(np.float32)
    person = Person("F", 61.0, 165.0, 70.0)
    answer = answer_phenotypes(readout, pooled, person)
    assert answer["interval_group"] == ("F 55-65" if "F 55-65" in readout.groups else "all")
    assert all(cell.z_score is not None for cell in answer["phenotypes"].values())
    assert "same sex" in answer["z_score_note"]
    stranger = answer_phenotypes(readout, pooled, Person("F", 61.0))
    assert stranger["z_score_note"] == "none: height, weight of the person not given"
    assert all(cell.z_score is None for cell in stranger["phenotypes"].values())


def steps_of(content):
    """Unit vectors whose neighbours along the cycle are alike."""
    angle = 2 * np.pi * content / NUM_STEPS
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1).astype(np.float32)


@pytest.fixture(scope="module")
def twelve():
    return draw_resamples(12, generator=np.random.default_rng(0), num_resamples=100)


def test_a_model_of_the_content_follows_the_shifted_frames(twelve):
    own = np.tile(steps_of(np.arange(13.0)), (12, 1, 1))
    shifted = [np.roll(own, -shift, axis=1) for shift in range(1, 13)]
    figures = judge_shifts(own, own, shifted, twelve)
    assert (figures.top1, figures.index_top1, figures.share_moved) == (1.0, 0.0, 1.0)
    assert figures.verdict == "follows the content"
    assert [control.shift for control in figures.shifts] == list(range(13))


def test_a_clock_stays_with_the_index(twelve):
    own = np.tile(steps_of(np.arange(13.0)), (12, 1, 1))
    figures = judge_shifts(own, own, [own] * 12, twelve)
    assert (figures.top1, figures.index_top1, figures.share_moved) == (0.0, 1.0, 0.0)
    assert figures.verdict == "stays with the index"
    noise = np.random.default_rng(1).normal(size=(14, 12, 13, 4)).astype(np.float32)
    assert judge_shifts(noise[0], noise[1], list(noise[2:]), twelve).verdict == "not separated"


def test_the_clocks_share_remains_with_another_patient(twelve):
    generator = np.random.default_rng(0)
    patients = [f"P{index // 2}" for index in range(12)]  # two visits each
    clock = np.tile(steps_of(np.arange(13.0)), (12, 1, 1))
    figures = judge_others(clock, clock, patients, twelve)
    assert (figures.top1, figures.n) == (1.0, 12)
    assert figures.same_patient_excess == Bounded(value=0.0, low=0.0, high=0.0)
    # Each patient has an own order of the cycle: nothing of it is found in another one.
    phase = generator.permuted(np.tile(np.arange(13.0), (6, 1)), axis=1).repeat(2, axis=0)
    personal = steps_of(phase)
    figures = judge_others(personal, personal, patients, twelve)
    assert figures.top1 is not None and figures.top1 < 0.3
    assert figures.same_patient_excess is not None
    assert figures.same_patient_excess.low is not None
    assert figures.same_patient_excess.low > 0.5
    assert judge_others(clock, clock, ["P0"] * 12, twelve).why == "there is one patient only"


def test_patients_apart(twelve):
    clock = np.tile(steps_of(np.arange(13.0)), (12, 1, 1))
    assert judge_some(clock, clock, np.array([2, 5]), twelve).n == 2
    nobody = judge_some(clock, clock, np.empty(0, np.int64), twelve)
    assert (nobody.top1, nobody.n) == (None, 0)
