"""A visit's own map comes back from the store, and leaves it with the patient."""

import numpy as np
import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.alignment_maps import has_alignment_maps, load_alignment_map

RUN = "align-1"


@pytest.fixture
def maps(cohort_path):
    drawn = np.random.default_rng(0).normal(size=(40, 13, 13)).astype(np.float32)
    names = [f"sim-{row // 2:06d}" for row in range(40)]
    with Cohort.write(cohort_path, purpose="maps") as writer:
        assert (
            writer.put_alignment_maps(RUN, names, [2 + row % 2 for row in range(40)], drawn) == 40
        )
    return drawn


@pytest.mark.parametrize("row", [0, 1, 39])
def test_each_visit_has_its_own_map(cohort_path, maps, row):
    with Cohort.open(cohort_path) as cohort:
        stored_map = load_alignment_map(cohort.opened, RUN, f"sim-{row // 2:06d}", 2 + row % 2)
    assert stored_map is not None
    np.testing.assert_array_equal(stored_map, maps[row])
    assert not stored_map.flags.writeable


def test_what_is_not_there_is_none_and_maps_of_a_run_are_replaced_whole(cohort_path, maps):
    with Cohort.open(cohort_path) as cohort:
        assert load_alignment_map(cohort.opened, RUN, "sim-000000", 9) is None
        assert load_alignment_map(cohort.opened, "other", "sim-000000", 2) is None
        assert has_alignment_maps(cohort.opened, RUN)
        assert not has_alignment_maps(cohort.opened, "other")
    with Cohort.write(cohort_path, purpose="maps") as writer:
        writer.put_alignment_maps(RUN, [], [], np.zeros((0, 13, 13), np.float32))
    with Cohort.open(cohort_path) as cohort:
        assert not has_alignment_maps(cohort.opened, RUN)
