"""ECGs and cines of one person: by visit, by time, and alone where it is not known."""

from datetime import datetime
from pathlib import PurePath

from ptacl_core.arrays import Modality
from ptacl_core.io.identity.pairing import Item, number_visits, pair_visits


def item(index: int, modality: Modality, label: str = "", day: str = "", place: str = "") -> Item:
    acquired = datetime.fromisoformat(day) if day else None
    return Item(index, modality, label, acquired, PurePath(place or f"s/{index}"))


def pairs(items: list[Item], **options) -> set[tuple[int | None, int | None]]:
    return {(visit.ecg, visit.cmr) for visit in pair_visits(items, **options)}


def test_a_label_joins_and_labels_keep_apart():
    items = [item(0, "ecg", "2"), item(1, "cmr", "2"), item(2, "ecg", "3"), item(3, "cmr", "4")]
    assert pairs(items) == {(0, 1), (2, None), (None, 3)}
    visits = pair_visits(items)
    assert number_visits(visits) == [2, 3, 4]


def test_the_nearest_in_time_are_a_pair_and_all_are_kept():
    items = [
        item(0, "ecg", day="2020-01-01"),
        item(1, "ecg", day="2020-03-01"),
        item(2, "ecg", day="2021-01-01"),
        item(3, "cmr", day="2020-03-03"),
    ]
    assert pairs(items) == {(0, None), (1, 3), (2, None)}
    assert pairs(items, within_days=1) == {(0, None), (1, None), (2, None), (None, 3)}
    (pair,) = [visit for visit in pair_visits(items) if visit.is_pair]
    assert pair.days_apart == 2
    assert number_visits(pair_visits(items)) == [0, 1, 2]


def test_years_apart_are_no_pair_unless_asked_for():
    items = [item(0, "ecg", day="2015-01-01"), item(1, "cmr", day="2020-01-01")]
    assert pairs(items) == {(0, None), (None, 1)}
    assert pairs(items, within_days=3000) == {(0, 1)}


def test_a_numbered_visit_meets_a_dated_recording_of_the_same_days():
    items = [
        item(0, "ecg", "1", "2020-01-01"),
        item(1, "ecg", "2", "2021-01-01"),
        item(2, "cmr", "20210104", "2021-01-04"),
    ]
    assert pairs(items) == {(0, None), (1, 2)}


def test_without_times_one_and_one_are_a_pair_and_several_are_not_guessed():
    assert pairs([item(0, "ecg"), item(1, "cmr")]) == {(0, 1)}
    several = [item(0, "ecg"), item(1, "ecg"), item(2, "cmr")]
    assert pairs(several) == {(0, None), (1, None), (None, 2)}
    in_folders = [
        item(0, "ecg", place="s/first/ecg"),
        item(1, "ecg", place="s/other/ecg"),
        item(2, "cmr", place="s/first/dicom"),
    ]
    assert pairs(in_folders) == {(0, 2), (1, None)}


def test_long_labels_become_ordinals_and_the_order_of_files_does_not_count():
    items = [
        item(0, "ecg", "20200101"),
        item(1, "cmr", "20200101"),
        item(2, "ecg", "20180101"),
    ]
    visits = pair_visits(items)
    assert [(v.ecg, v.cmr) for v in visits] == [(2, None), (0, 1)]
    assert number_visits(visits) == [0, 1]
    assert pair_visits(items[::-1]) == visits


def test_the_only_recording_without_a_label_joins_the_only_visit():
    assert pairs([item(0, "ecg", "2"), item(1, "cmr")]) == {(0, 1)}
    assert pairs([item(0, "ecg", "2"), item(1, "ecg", "3"), item(2, "cmr")]) == {
        (0, None),
        (1, None),
        (None, 2),
    }
