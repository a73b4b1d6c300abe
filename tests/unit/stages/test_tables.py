import json

import numpy as np
import pytest

from ptacl_core.documents.evaluation import R2Cell
from ptacl_core.documents.retrieval import RetrievalCell
from ptacl_core.embedding.patients import fill_demographics
from ptacl_core.evaluate import fit_linear_probe, pearson_r, r2
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.stages.evaluate.consistency import check_consistency
from ptacl_core.stages.evaluate.rows import EvaluationRows
from ptacl_core.stages.evaluate.run import find_unjudged
from ptacl_core.stages.evaluate.table_one import evaluate_retrieval
from ptacl_core.stages.evaluate.table_two import RowFacts, TableTwo
from ptacl_core.stages.evaluate.tables import build_predictions, build_retrieval

FIGURES = (
    "mean_absolute_error",
    "pearson_r",
    "concordance",
    "bias",
    "loa_low",
    "loa_high",
    "slope",
    "intercept",
)

NO_R2 = R2Cell(r2=None, low=None, high=None)


def embed(split, seed, *, noise):
    """An embedding that knows the phenotypes up to noise."""
    generator = np.random.default_rng(seed)
    values = np.nan_to_num((split.phenotypes - 100) / 30)
    return (values + noise * generator.normal(size=values.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def rows(train, held_out, resamples):
    rows = EvaluationRows(train, held_out, resamples, None)
    features = embed(train, 5, noise=0.3), embed(held_out, 6, noise=0.3)
    rows.add_features("good", "Good", "ecg", features)
    rows.ask(features, failures=())
    return rows


@pytest.fixture(scope="module")
def table(rows):
    return rows.table


@pytest.fixture(scope="module")
def described(table):
    return [json.loads(json.dumps(row.model_dump(mode="json"))) for row in table.rows()]


def test_rows_carry_every_figure_with_its_interval(table, described, held_out):
    good = described[-1]["phenotypes"]
    predicted = table.predicted("good")
    for column, name in enumerate(PHENOTYPE_NAMES):
        cell = good[name]
        assert cell["r2"] == pytest.approx(
            float(r2(held_out.phenotypes[:, column], predicted[:, column]))
        )
        assert cell["low"] <= cell["r2"] <= cell["high"]
        for figure in FIGURES:
            assert cell[f"{figure}_low"] <= cell[figure] <= cell[f"{figure}_high"]
        assert cell["n"] == 240
    correlation = pearson_r(held_out.phenotypes, predicted)
    assert good["lvm_g"]["pearson_r"] == pytest.approx(np.ravel(correlation)[5])


def test_gain_over_demographics_is_paired(described, train, held_out):
    first, good = described
    assert (first["key"], good["key"]) == ("demographics", "good")
    assert first["phenotypes"]["lvm_g"]["delta_over_demographics"] is None
    cell = good["phenotypes"]["lvm_g"]
    gain = cell["r2"] - first["phenotypes"]["lvm_g"]["r2"]
    assert cell["delta_over_demographics"]["difference"] == pytest.approx(gain)
    assert cell["delta_over_demographics"]["low"] <= gain <= cell["delta_over_demographics"]["high"]
    probe = fit_linear_probe(fill_demographics(train, train), train.phenotypes)
    expected = r2(held_out.phenotypes, probe.predict(fill_demographics(held_out, train)))
    assert first["phenotypes"]["lvm_g"]["r2"] == pytest.approx(np.ravel(expected)[5])
    assert good["mean"]["delta_over_demographics"]["difference"] > 0.2
    assert good["mean"]["delta_over_demographics"]["verdict"] == "too few trainings"


def test_within_sex_r2_is_about_the_mean_of_the_sex(table, described, held_out):
    rows = np.flatnonzero(np.array(held_out.sex) == "F")
    cell = described[0]["phenotypes"]["lvm_g"]["within_sex_r2"]["F"]
    predicted = table.predicted("demographics")
    expected = float(r2(held_out.phenotypes[rows, 5], predicted[rows, 5]))
    assert cell["value"] == pytest.approx(expected)
    assert cell["n"] == len(rows)
    # Sex explains nothing within a sex.
    assert cell["value"] < described[0]["phenotypes"]["lvm_g"]["r2"]


def test_what_cannot_be_judged_is_null_and_named(train, without_labels, resamples):
    row = EvaluationRows(train, without_labels, resamples, None).table.rows()[0]
    plain = json.loads(json.dumps(row.model_dump(mode="json"), allow_nan=False))
    cells = plain["phenotypes"]
    for name in PHENOTYPE_NAMES[:3]:
        assert cells[name]["r2"] is None
        assert cells[name]["low"] is None
    assert (cells["lvedv_ml"]["n"], cells["lvsv_ml"]["n"]) == (0, 1)
    assert cells["lvef_pct"]["r2"] is not None
    judged = [cells[name]["r2"] for name in PHENOTYPE_NAMES[3:]]
    assert plain["mean"]["r2"] == pytest.approx(np.mean(judged))
    assert find_unjudged(without_labels) == {
        "lvedv_ml": "no label present",
        "lvesv_ml": "the phenotype is constant (60) in 240 patients",
        "lvsv_ml": "one labelled patient only",
    }


@pytest.fixture(scope="module")
def retrieved(held_out, resamples):
    return evaluate_retrieval(
        embed(held_out, 7, noise=0.5),
        embed(held_out, 8, noise=0.2),
        held_out.phenotypes,
        resamples,
    )


def test_three_directions_with_and_without_the_own_recording(retrieved):
    directions = retrieved.directions
    assert {key: tuple(value) for key, value in directions.items()} == {
        "cmr-ecg": ("included", "excluded"),
        "ecg-ecg": ("excluded",),
    }
    assert tuple(retrieved.retrieval) == ("included", "excluded")
    for choices in (retrieved.retrieval, *directions.values()):
        for tables in choices.values():
            cell = tables["lvm_g"]
            assert cell.p_at_10 > cell.random_p_at_10 + 0.1
            for metric, bounds in cell.intervals.items():
                assert bounds.low <= getattr(cell, metric) <= bounds.high
            assert cell.trimmed_mean_rank <= cell.mean_rank
            assert len(cell.mean_rank_by_decile) == 10
            json.dumps(cell.model_dump(), allow_nan=False)
    included, excluded = retrieved.retrieval["included"], retrieved.retrieval["excluded"]
    assert included["lvm_g"].p_at_1 > excluded["lvm_g"].p_at_1
    assert excluded["lvm_g"].candidates == included["lvm_g"].candidates - 1


def test_pairs_are_found_in_both_directions(retrieved):
    recall = retrieved.pair_recall
    assert set(recall) == {"ecg-cmr", "cmr-ecg"}
    for cell in recall.values():
        assert cell.recall_at_1.value <= cell.recall_at_5.value
        assert cell.recall_at_1.chance == pytest.approx(1 / 240)
        assert cell.recall_at_1.value > 20 / 240
        assert cell.median_rank.low <= cell.median_rank.value
        assert cell.median_rank.chance == 120.5


def test_random_embeddings_retrieve_as_theory_says(held_out, resamples):
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, 240, 8)).astype(np.float32)
    table_one = evaluate_retrieval(first, second, held_out.phenotypes, resamples)
    mean = table_one.mean["excluded"]
    # 2 Phi(0.5 / sqrt 2) - 1; 240 queries of ten correlated phenotypes.
    assert mean.p_at_10.value == pytest.approx(0.2763, abs=0.03)
    assert mean.random_p_at_10 == pytest.approx(0.2763, abs=0.02)
    assert mean.p_at_10.low is not None and mean.p_at_10.high is not None
    assert mean.random_p_at_10 is not None
    assert mean.p_at_10.low <= mean.random_p_at_10 <= mean.p_at_10.high


def test_retrieval_without_any_label_says_so(held_out, resamples):
    nothing = np.full((240, 10), np.nan)
    table_one = evaluate_retrieval(
        embed(held_out, 7, noise=0.5), embed(held_out, 8, noise=0.2), nothing, resamples
    )
    assert table_one.retrieval == {"included": {}, "excluded": {}}
    mean = table_one.mean["excluded"]
    assert (mean.p_at_1.value, mean.why) == (None, "no phenotype can be judged")
    assert table_one.pair_recall["ecg-cmr"].n == 240


def test_rows_hold_what_the_figures_came_from(table, described, retrieved, held_out):
    predictions = build_predictions("run", held_out, table.predictions).to_pandas()
    assert predictions.columns.tolist() == [
        "run", "variant", "modality", "patient", "visit", "phenotype", "observed", "predicted"
    ]  # fmt: skip
    assert str(predictions["visit"].dtype) == "int32"
    mass = predictions[(predictions.variant == "good") & (predictions.phenotype == "lvm_g")]
    assert len(mass) == 240
    assert described[-1]["phenotypes"]["lvm_g"]["r2"] == pytest.approx(
        float(r2(mass.observed.to_numpy(), mass.predicted.to_numpy()))
    )
    lines = build_retrieval("run", held_out, retrieved.runs)
    assert lines.schema.field("first_match_rank").type == "int32"
    frame = lines.to_pandas()
    for own in ("included", "excluded"):
        part = frame[
            (frame.direction == "cmr-ecg") & (frame.own == own) & (frame.phenotype == "lvef_pct")
        ]
        expected = retrieved.directions["cmr-ecg"][own]["lvef_pct"]
        assert part.p_at_10.mean() == pytest.approx(expected.p_at_10)
        assert part.first_match_rank.median() == expected.median_rank


def test_absent_labels_are_null_in_the_rows(without_labels, resamples):
    table_one = evaluate_retrieval(
        embed(without_labels, 7, noise=0.5),
        embed(without_labels, 8, noise=0.2),
        without_labels.phenotypes,
        resamples,
    )
    frame = build_retrieval("run", without_labels, table_one.runs).to_pandas()
    assert frame[frame.phenotype == "lvedv_ml"].first_match_rank.isna().all()
    assert frame[frame.phenotype == "lvef_pct"].p_at_1.notna().all()


def test_table_one_follows_from_table_two():
    regression = {
        "ecg": {"lvm_g": R2Cell(r2=0.616, low=None, high=None), "lvef_pct": NO_R2},
        "cmr": {name: R2Cell(r2=0.824, low=None, high=None) for name in ("lvm_g", "lvef_pct")},
    }
    measured = RetrievalCell.model_construct(p_at_10=0.486)
    retrieval = {own: {"lvm_g": measured} for own in ("included", "excluded")}
    consistency = check_consistency(regression, retrieval)
    # The paper's LVM: its P@10 of 0.486 follows from its R² within 0.03.
    assert abs(consistency.phenotypes["lvm_g"].difference_included) < 0.03
    assert list(consistency.phenotypes) == ["lvm_g"]
    assert check_consistency({"ecg": {}, "cmr": {}}, retrieval).mean_difference is None


def test_the_nested_question_holds_demographics_within_the_model_with_both(rows, held_out):
    nested = rows.nested[0]
    answer = nested.figures["mean"]
    assert nested.without.value == pytest.approx(rows.table.rows()[0].mean.r2)
    assert nested.with_features.value == pytest.approx(nested.without.value + answer.difference)
    assert answer.low <= answer.difference <= answer.high
    assert answer.difference > 0.3
    noise = np.random.default_rng(3).normal(size=(400, 8)), np.zeros((240, 8))
    useless = EvaluationRows(rows.train, held_out, rows.resamples, None)
    useless.ask(noise, failures=())
    difference = useless.nested[0].figures["mean"].difference
    assert difference is not None
    assert abs(difference) < 0.02
    assert useless.nested[0].figures["mean"].verdict == "not separated"


def test_label_curves_rise_to_the_row_of_all_labels(described):
    curve = described[-1]["label_curve"]
    assert [point["labels"] for point in curve] == [50, 100, 300, 400]
    assert curve[-1]["is_all"]
    scores = [point["mean_r2"] for point in curve]
    assert scores == sorted(scores)
    for point in curve:
        assert point["low"] <= point["mean_r2"] <= point["high"]
        assert point["least"] <= point["mean_r2"] <= point["greatest"]


def test_a_row_below_what_needs_no_learning_says_so(held_out, resamples):
    observed = held_out.phenotypes

    def predict(scale):
        noise = np.random.default_rng(1).normal(size=observed.shape) * observed.std(axis=0)
        return (observed + scale * noise)[None]

    table = TableTwo(observed, held_out.sex, resamples, predict(0.9)[0])
    table.add("ridge-mean-beat", "Ridge", "ecg", "ridge", predict(0.5), is_trained=False)
    table.add("random-ecg", "Random", "ecg", "LP", predict(0.7), is_trained=True)
    table.add("poor-ecg", "Poor", "ecg", "LP", predict(0.8), is_trained=True)
    table.add("good-ecg", "Good", "ecg", "LP", predict(0.1), is_trained=True)
    table.add("poor-cmr", "Poor", "cmr", "LP", predict(0.8), is_trained=True)
    remarks = {row.key: row.remarks for row in table.rows()}
    assert [remark.split(" (")[0] for remark in remarks["poor-ecg"]] == [
        "below Ridge", "below Random"
    ]  # fmt: skip
    assert [remark.split(" (")[0] for remark in remarks["random-ecg"]] == ["below Ridge"]
    assert remarks["good-ecg"] == remarks["poor-cmr"] == remarks["ridge-mean-beat"] == ()


def test_a_row_that_has_not_trained_is_compared_with_nothing(held_out, resamples):
    observed = held_out.phenotypes
    table = TableTwo(observed, held_out.sex, resamples, np.zeros_like(observed))
    facts = RowFacts(failures=("effective rank of the ECG embeddings on test is 1.9",))
    table.add("global-ecg", "Global", "ecg", "LP", observed[None], is_trained=True, facts=facts)
    row = table.rows()[-1]
    delta = row.mean.delta_over_demographics
    assert delta is not None
    assert delta.verdict == "not comparable"
    assert delta.why is not None
    assert delta.why.startswith("not comparable: Global did not train")
    assert row.failures == facts.failures
