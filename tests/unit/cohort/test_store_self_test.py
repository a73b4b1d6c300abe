"""The self-test a user can run holds here, and would tell if it did not."""

import os

import pytest

from ptacl_core.cohort.health import self_test


def test_every_goal_of_the_self_test_holds_and_the_environment_is_left_alone() -> None:
    before = dict(os.environ)
    checks = self_test.run_self_test()
    assert [check for check in checks if not check.is_passed] == []
    assert {check.goal for check in checks} >= {"R1, R4", "R5", "R6", "R7", "R13", "R32", "R35"}
    assert all(check.num_tried > 0 for check in checks)
    assert dict(os.environ) == before


def test_a_goal_that_does_not_hold_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_test, "_ESCAPES", ("SELECT 1", "DROP TABLE runs"))
    (refused,) = self_test.run_self_test(only={"R6"})
    assert refused.goal == "R6"
    assert not refused.is_passed
    assert (refused.num_passed, refused.num_tried) == (2, 3)
