"""Runs of a reproduction side by side: the rows and figures of one job."""

import shutil

import numpy as np
import pytest

from ptacl_core.config.reproduction import load_plan, load_size, name_run
from ptacl_core.progress import SilentProgress
from ptacl_core.recipes.reproduce import run as recipe
from ptacl_core.stages.evaluate.measure_row import load_row

pytestmark = pytest.mark.xdist_group("trained")
ROWS = ("mae", "global")


def test_two_jobs_have_the_figures_of_one(trained_cohort, tmp_path):
    documents, figures = [], []
    for jobs in (1, 2):
        cohort = tmp_path / f"jobs-{jobs}"
        shutil.copytree(trained_cohort, cohort)
        said = []

        class Listener(SilentProgress):
            def say(self, line: str, said=said) -> None:
                said.append(line)

        summary = recipe.run(
            cohort, rows=ROWS, size="tiny", num_resamples=20, num_jobs=jobs, progress=Listener()
        )
        documents.append(summary.as_dict())
        figures.append(
            [load_row(cohort, name_run("tiny", 0, key), f"{key}-ecg").predicted for key in ROWS]
        )
    order = [line for line in said if line.startswith(("begun", "done"))]
    assert order[0] == "begun: reproduce-tiny-s0-mae"
    assert order[-1] == "done (2/2): reproduce-tiny-s0-global"
    for one, two in zip(*figures, strict=True):
        assert np.array_equal(one, two)
    assert documents[0]["rows"] == documents[1]["rows"]


def test_no_run_begins_before_those_that_it_takes_from():
    plan = load_plan()
    order = plan.list_runs(plan.methods)
    for key in order:
        for source in plan.runs[key].takes.values():
            assert order.index(source) < order.index(key)
    assert load_size("tiny").name == "tiny"
