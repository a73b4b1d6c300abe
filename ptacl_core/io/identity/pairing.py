"""Which ECG and which cine of one person belong together: by visit, else by time."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath
from typing import Literal

from ptacl_core.io.identity.names import split_name

DEFAULT_DAYS = 365
"""How far apart an ECG and a cine of one person may be and still be a pair."""
_MAX_DAYS_OF_ONE_VISIT = 31
_SIDES = ("ecg", "cmr")


@dataclass(frozen=True, slots=True)
class Item:
    """One recording of a person: its visit's `label` ("" none), when it was made, where it is."""

    index: int
    modality: Literal["ecg", "cmr"]
    label: str
    acquired: datetime | None
    place: PurePath

    @property
    def time(self) -> datetime | None:
        """When it was made: as the file says, else as its visit's name dates it."""
        if self.acquired is not None or len(self.label) != 8 or not self.label.isdecimal():
            return self.acquired
        return datetime(int(self.label[:4]), int(self.label[4:6]), int(self.label[6:]))

    @property
    def is_dated(self) -> bool:
        """Whether the label is a date or nothing, so that it does not set visits apart."""
        return not self.label or (self.label.isdecimal() and len(self.label) in (4, 8))


@dataclass(frozen=True, slots=True)
class Visit:
    """What was recorded together; `days_apart` between the two, None when not known."""

    label: str
    ecg: int | None = None
    cmr: int | None = None
    days_apart: int | None = None
    order: tuple[str, str, str] = ("", "", "")

    @property
    def is_pair(self) -> bool:
        """Whether both halves are there."""
        return self.ecg is not None and self.cmr is not None


def pair_visits(items: Sequence[Item], *, within_days: int = DEFAULT_DAYS) -> list[Visit]:
    """The visits of one person, every recording in just one of them, in order of time and label.

    Recordings of one label belong together; of several in it, and of those without a label or with
    no more than a date, the nearest in time do, at most `within_days` apart. Without times one ECG
    and one cine are a pair, or those of one folder; what else might belong to several stays alone.
    """
    open_items = sorted(items, key=lambda item: (item.label, str(item.place), item.index))
    visits: list[Visit] = []
    by_label: dict[str, list[Item]] = defaultdict(list)
    for item in open_items:
        if item.label:
            by_label[item.label].append(item)
    taken: set[int] = set()
    for group in by_label.values():
        visits += _pair_group(group, within_days, taken, is_same_visit=True)
    rest = [item for item in open_items if item.index not in taken]
    visits += _join_lone(rest, by_label, within_days, taken)
    loose = [item for item in rest if item.is_dated and item.index not in taken]
    visits += _pair_group(loose, within_days, taken, is_same_visit=False)
    visits += _join_dated(rest, within_days, taken)
    visits += [
        _make_visit(
            item if item.modality == "ecg" else None, item if item.modality == "cmr" else None
        )
        for item in open_items
        if item.index not in taken
    ]
    return sorted(visits, key=lambda visit: visit.order)


def number_visits(visits: Sequence[Visit], *, used: frozenset[int] = frozenset()) -> list[int]:
    """A number for each visit: its label where that is a small one, else the next that is free.

    Dates and longer numbers, which may tell somebody, become 0, 1, … in the order of the visits.
    """
    numbers: list[int | None] = []
    taken = set(used)
    for visit in visits:
        is_number = visit.label.isdecimal() and len(visit.label) <= 3
        number = int(visit.label) if is_number else None
        if number in taken and number not in used:
            number = None
        numbers.append(number)
        if number is not None:
            taken.add(number)
    free = (number for number in range(len(visits) + len(taken) + 1) if number not in taken)
    return [number if number is not None else next(free) for number in numbers]


def _pair_group(
    group: Sequence[Item], within_days: int, taken: set[int], *, is_same_visit: bool
) -> list[Visit]:
    ecgs = [item for item in group if item.modality == "ecg" and item.index not in taken]
    cmrs = [item for item in group if item.modality == "cmr" and item.index not in taken]
    visits: list[Visit] = []

    def take(ecg: Item, cmr: Item) -> None:
        taken.update((ecg.index, cmr.index))
        visits.append(_make_visit(ecg, cmr))

    if len(ecgs) == len(cmrs) == 1:
        if _is_near(ecgs[0], cmrs[0], within_days):
            take(ecgs[0], cmrs[0])
        return visits
    for _, ecg, cmr in _by_distance(ecgs, cmrs):
        if not {ecg.index, cmr.index} & taken and _is_near(ecg, cmr, within_days):
            take(ecg, cmr)
    for ecg, cmr in _of_one_folder(ecgs, cmrs, taken):
        if _is_near(ecg, cmr, within_days):
            take(ecg, cmr)
    left = [[item for item in side if item.index not in taken] for side in (ecgs, cmrs)]
    if (
        is_same_visit
        and len(left[0]) == len(left[1]) == 1
        and _is_near(left[0][0], left[1][0], within_days)
    ):
        take(left[0][0], left[1][0])
    return visits


def _join_lone(
    rest: Sequence[Item],
    by_label: dict[str, list[Item]],
    within_days: int,
    taken: set[int],
) -> list[Visit]:
    """The only recording without a label joins the only visit there is."""
    bare = [item for item in rest if not item.label]
    if len(bare) != 1 or len(by_label) != 1:
        return []
    others = [i for i in next(iter(by_label.values())) if i.modality != bare[0].modality]
    if (
        len(others) != 1
        or others[0].index in taken
        or not _is_near(bare[0], others[0], within_days)
    ):
        return []
    ecg, cmr = sorted((bare[0], others[0]), key=lambda item: item.modality, reverse=True)
    taken.update((ecg.index, cmr.index))
    return [_make_visit(ecg, cmr)]


def _join_dated(rest: Sequence[Item], within_days: int, taken: set[int]) -> list[Visit]:
    """A numbered visit and a recording with no more than a date: the nearest, close in time."""
    near = min(within_days, _MAX_DAYS_OF_ONE_VISIT)
    sides = [
        [item for item in rest if item.modality == m and item.index not in taken] for m in _SIDES
    ]
    visits: list[Visit] = []
    for _, ecg, cmr in _by_distance(*sides):
        is_mixed = ecg.is_dated != cmr.is_dated
        if is_mixed and not {ecg.index, cmr.index} & taken and _is_near(ecg, cmr, near):
            taken.update((ecg.index, cmr.index))
            visits.append(_make_visit(ecg, cmr))
    return visits


def _by_distance(ecgs: Sequence[Item], cmrs: Sequence[Item]) -> list[tuple[float, Item, Item]]:
    pairs = [
        (abs((ecg.time - cmr.time).total_seconds()), ecg, cmr)
        for ecg in ecgs
        for cmr in cmrs
        if ecg.time is not None and cmr.time is not None
    ]
    return sorted(
        pairs,
        key=lambda candidate: (candidate[0], str(candidate[1].place), str(candidate[2].place)),
    )


def _of_one_folder(
    ecgs: Sequence[Item], cmrs: Sequence[Item], taken: set[int]
) -> list[tuple[Item, Item]]:
    """Pairs alone in their folder, words of the kind aside (`first/ecg`, `first/dicom`)."""
    by_folder: dict[tuple[str, ...], list[list[Item]]] = defaultdict(lambda: [[], []])
    for side, items in enumerate((ecgs, cmrs)):
        for item in items:
            if item.index not in taken and item.time is None:
                by_folder[_folder_of(item.place)][side].append(item)
    return [
        (sides[0][0], sides[1][0])
        for folder, sides in sorted(by_folder.items())
        if len(sides[0]) == len(sides[1]) == 1 and folder
    ]


def _folder_of(place: PurePath) -> tuple[str, ...]:
    return tuple(part for part in place.parts if (name := split_name(part)).core or name.visit)


def _is_near(ecg: Item, cmr: Item, within_days: int) -> bool:
    days = _days_between(ecg, cmr)
    return days is None or days <= within_days


def _days_between(ecg: Item, cmr: Item) -> int | None:
    if ecg.time is None or cmr.time is None:
        return None
    return abs((ecg.time.date() - cmr.time.date()).days)


def _make_visit(ecg: Item | None, cmr: Item | None) -> Visit:
    items = [item for item in (ecg, cmr) if item is not None]
    labels = [item.label for item in items if not item.is_dated] or [item.label for item in items]
    label = next(iter(filter(None, labels)), "")
    times = [item.time.isoformat() for item in items if item.time is not None]
    place = min(str(item.place) for item in items)
    visit = Visit(label, order=(min(times, default=""), label.rjust(12), place))
    return replace(
        visit,
        ecg=ecg.index if ecg else None,
        cmr=cmr.index if cmr else None,
        days_apart=_days_between(ecg, cmr) if ecg and cmr else None,
    )
