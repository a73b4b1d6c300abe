import numpy as np
import pytest

from ptacl_core.train.batches import BatchOrder
from ptacl_core.train.distributed import World
from ptacl_core.train.visits import separate_visits


def batches_of(order, size):
    return [order[start : start + size] for start in range(0, len(order) - size + 1, size)]


@pytest.mark.parametrize("seed", range(8))
def test_no_batch_holds_two_visits_of_a_person(seed):
    people = np.concatenate([np.arange(60), np.arange(40), np.arange(12)])
    order = np.random.default_rng(seed).permutation(len(people))
    changed = separate_visits(order, people, batch_size=16)
    assert sorted(changed.tolist()) == list(range(len(people)))
    for batch in batches_of(changed, 16):
        assert len(set(people[batch].tolist())) == 16
    assert (changed == order).mean() > 0.5


def test_a_visit_each_changes_nothing_and_one_person_alone_does_no_harm():
    order = np.random.default_rng(0).permutation(30)
    assert separate_visits(order, np.arange(30), batch_size=8) is order
    alone = separate_visits(order, np.zeros(30, np.int64), batch_size=8)
    assert sorted(alone.tolist()) == list(range(30))


def test_orders_of_training_keep_people_apart_and_are_the_same_at_every_call():
    people = np.repeat(np.arange(24), 2)
    order = BatchOrder(48, 12, seed=1, stage="align", world=World(), people=people)
    steps = [order.locate(step)[2] for step in range(8)]
    for rows in steps:
        assert len(set(people[rows].tolist())) == 12
    again = BatchOrder(48, 12, seed=1, stage="align", world=World(), people=people)
    np.testing.assert_array_equal(again.locate(5)[2], steps[5])
    assert sorted(np.concatenate(steps[:4]).tolist()) == list(range(48))
