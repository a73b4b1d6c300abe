import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptacl_core.train.schedule import layer_decay_factors, warmup_cosine_factor


def test_warm_up_is_linear_and_ends_at_one():
    factors = [warmup_cosine_factor(step, num_steps=100, warmup_steps=10) for step in range(10)]
    assert factors == pytest.approx([0.1 * (step + 1) for step in range(10)])


def test_cosine_starts_at_one_and_is_half_in_the_middle():
    def factor(step: int) -> float:
        return warmup_cosine_factor(step, num_steps=110, warmup_steps=10)

    assert factor(10) == 1.0
    assert factor(60) == pytest.approx(0.5)
    assert factor(109) == pytest.approx(0.5 * (1 - math.cos(math.pi / 100)), rel=1e-9)


@given(num_steps=st.integers(1, 500), share=st.floats(0, 1))
def test_schedule_stays_in_range_and_falls_after_warm_up(num_steps, share):
    warmup = int(share * num_steps)
    factors = [
        warmup_cosine_factor(step, num_steps=num_steps, warmup_steps=warmup)
        for step in range(num_steps)
    ]
    assert all(0 < factor <= 1 for factor in factors)
    falling = factors[warmup:]
    assert all(late <= early for early, late in pairwise(falling))


@pytest.mark.parametrize(("step", "num", "warmup"), [(-1, 10, 0), (10, 10, 0), (0, 10, 11)])
def test_impossible_places_are_refused(step, num, warmup):
    with pytest.raises(ValueError, match=str(num)):
        warmup_cosine_factor(step, num_steps=num, warmup_steps=warmup)


def test_layer_decay_is_geometric_and_ends_at_one():
    assert layer_decay_factors(4, layer_decay=0.5) == [0.125, 0.25, 0.5, 1.0]
    assert layer_decay_factors(3, layer_decay=1.0) == [1.0, 1.0, 1.0]
