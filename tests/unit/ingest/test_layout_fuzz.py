"""Random folder trees: no pair of two people, nobody torn in two, nothing lost in silence."""

from tests.unit.ingest.tree_checks import Tally, check_tree

NUM_TREES = 300


def test_three_hundred_trees_have_no_pair_of_two_people(tmp_path):
    tally = Tally()
    for seed in range(NUM_TREES):
        check_tree(tmp_path / f"{seed}" / "source", seed, tally)
    assert tally.trees == NUM_TREES
    assert +tally.faults == {}, tally.faulty_seeds[:10]
    assert tally.pairs > 0.9 * tally.true_pairs
    assert tally.left_out < 0.1 * tally.recordings
