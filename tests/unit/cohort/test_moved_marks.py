"""Marks that people moved: kept beside the computed ones, newest first, gone with the person."""

import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.erasure.notes import erase_notes
from ptacl_core.cohort.notes.moved_marks import (
    move_mark,
    read_moved_marks,
)
from ptacl_core.errors import CohortError
from ptacl_core.records.marks import REPRESENTATIVE_BEAT


@pytest.fixture
def cohort(tmp_path):
    with Cohort.create(tmp_path / "c", name="c", source="files", preprocessing_hash="h") as made:
        yield made


def test_every_move_of_a_mark_is_kept_the_oldest_first(cohort):
    for sample in (160, 156):
        move_mark(cohort.notes, "p1", 0, beat=REPRESENTATIVE_BEAT, mark="p_onset", sample=sample)
    move_mark(cohort.notes, "p1", 0, beat=3, mark="t_end", sample=None)
    moves = read_moved_marks(cohort.notes, "p1", 0)
    assert [(move.mark, move.sample) for move in moves] == [
        ("p_onset", 160),
        ("p_onset", 156),
        ("t_end", None),
    ]
    assert all(move.actor for move in moves)


def test_unknown_marks_and_impossible_samples_are_refused(cohort):
    with pytest.raises(CohortError, match="delta_wave"):
        move_mark(cohort.notes, "p1", 0, beat=0, mark="delta_wave", sample=3)
    with pytest.raises(CohortError, match="-7"):
        move_mark(cohort.notes, "p1", 0, beat=0, mark="t_end", sample=-7)


def test_moves_go_with_the_person(cohort):
    for patient in ("p1", "p2"):
        move_mark(cohort.notes, patient, 0, beat=0, mark="t_end", sample=400)
    removed = erase_notes(cohort.layout, ["p1"], tombstones=["t"])
    assert removed["moved_marks"] == 1
    assert read_moved_marks(cohort.notes, "p1", 0) == []
    assert len(read_moved_marks(cohort.notes, "p2", 0)) == 1
