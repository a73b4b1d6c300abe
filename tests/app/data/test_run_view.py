"""What the runs screen says of a run beside its figures."""

from dataclasses import replace
from datetime import datetime

from ptacl_app.data.run_view import build_run_view
from ptacl_core.cohort import Run

RUN = Run(
    "r", "align", "{}", "a" * 64, "b" * 16, "default", "c" * 64, "0.1", 0, datetime(2026, 1, 1)
)


def test_a_run_that_was_trained_with_people_who_withdrew_says_so():
    assert "withdrawn" not in dict(build_run_view(RUN, None).provenance)
    marked = dict(build_run_view(replace(RUN, withdrawn_people=3), None).provenance)
    assert marked["withdrawn"].startswith("3 of its training")
    assert max(map(len, marked.values())) <= 60
