"""`ptacl validate`: the frozen model on others, what fails, and what local labels would mend."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from ptacl_core.documents.figures import Bounded
from ptacl_core.documents.validation import ValidationDocument
from ptacl_core.evaluate import draw_resamples
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.stages.simulate import run as simulate
from ptacl_core.stages.validate.decisions import measure_net_benefit, probability_from_interval
from ptacl_core.stages.validate.failures import _judge_outliers, _judge_r2
from ptacl_core.stages.validate.figures import measure_column, recalibrate


@pytest.fixture(scope="module")
def others(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("others") / "cohort"
    simulate.run(folder, preset="tiny", num_patients=120, seed=5, num_workers=1)
    return folder


def test_the_report_has_every_part_and_labels_of_another_reader_fail(ptacl, others, tmp_path):
    cohort = Path(shutil.copytree(others, tmp_path / "cohort"))
    manifest = cohort / "shards" / "manifest.parquet"
    table = pq.read_table(manifest)
    at = table.schema.get_field_index("lvedv_ml")
    larger = [value * 1.6 for value in table.column("lvedv_ml").to_pylist()]
    pq.write_table(table.set_column(at, table.schema.field(at), [larger]), manifest)
    out = tmp_path / "out"
    answer = ptacl("validate", "example", cohort, "--resamples", 100, "--out", out, "--json")
    assert answer.exit_code == 0, answer.err
    values = json.loads(answer.out)
    document = ValidationDocument.parse(values | {"version": 1}, source="answer")
    assert [column.name for column in document.columns] == ["frozen", "recalibrated", "refitted"]
    assert document.people == 120
    failed = {(failure.what, failure.text.split(":")[0]) for failure in document.failures}
    assert ("bias", "lvedv_ml") in failed
    frozen, recalibrated = (column.phenotypes["lvedv_ml"] for column in document.columns[:2])
    before, after = frozen.bias.value, recalibrated.bias.value
    assert before is not None and before < -40
    assert after is not None and abs(after) < 5
    shift = document.drift["lvedv_ml"].difference_sd
    assert shift is not None and shift.value is not None and shift.value > 1
    assert [point.people for point in document.transfer] == [10, 25, 50]
    assert set(document.decisions) == {"lvef_pct<50", "rvef_pct<45"}
    page = (out / "validation.html").read_text()
    for word in ("FAILS here", "Transfer", "Recalibrated", "Research use only"):
        assert word in page
    assert (out / "validation.md").exists()
    assert "FAILS" in document.text


def test_too_few_people_are_refused(ptacl, tmp_path):
    few = tmp_path / "few"
    simulate.run(few, preset="tiny", num_patients=20, seed=5, num_workers=1)
    answer = ptacl("validate", "example", few)
    assert (answer.exit_code, "needs 30" in answer.err) == (2, True)


def test_recalibration_uses_other_people_only():
    generator = np.random.default_rng(3)
    truth = generator.normal(100.0, 20.0, size=(400, len(PHENOTYPE_NAMES)))
    predicted = 30.0 + 0.5 * truth + generator.normal(0, 5, truth.shape)
    folds = np.arange(400) % 5
    made = recalibrate(predicted, truth, folds, coverage=0.9)
    inside = (made.low <= truth) & (truth <= made.high)
    assert 0.85 < inside.mean() < 0.95
    assert abs((made.value - truth).mean()) < 1.0
    changed = truth.copy()
    changed[folds == 0] += 1000.0
    again = recalibrate(predicted, changed, folds, coverage=0.9)
    np.testing.assert_array_equal(again.value[folds == 0], made.value[folds == 0])


def test_a_drop_needs_intervals_that_lie_apart():
    generator = np.random.default_rng(4)
    observed = generator.normal(size=(200, len(PHENOTYPE_NAMES)))
    resamples = draw_resamples(200, generator=generator, num_resamples=200)
    good = measure_column("frozen", "", observed, observed * 0.9, resamples)
    assert good.mean_r2.low is not None and good.mean_r2.low > 0.98
    assert list(_judge_r2(good, None)) == []
    assert list(_judge_outliers(Bounded(value=0.02, low=0.01, high=0.04))) == []
    assert len(list(_judge_outliers(Bounded(value=0.2, low=0.15, high=0.3)))) == 1


def test_probabilities_and_net_benefit_by_hand():
    value = np.array([50.0, 60.0])
    probability = probability_from_interval(
        value, value - 16.449, value + 16.449, limit=50.0, coverage=0.9
    )
    np.testing.assert_allclose(probability, [0.5, 0.1587], atol=1e-3)
    event = np.array([True, False, True, False])
    benefit = measure_net_benefit(event, np.array([0.9, 0.6, 0.2, 0.1]), 0.5)
    assert benefit.model == pytest.approx(1 / 4 - 1 / 4)
    assert benefit.everybody == pytest.approx(0.0)
    assert measure_net_benefit(event, event.astype(float), 0.2).model == pytest.approx(0.5)
