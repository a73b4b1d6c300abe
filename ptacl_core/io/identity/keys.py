"""Which names along a path may be a person's: those below what a whole source shares."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

from ptacl_core.io.identity.names import NamePart, find_key

Key = tuple[str, ...]
Place = tuple[NamePart, ...]


class Sourced(Protocol):
    """A recording of one of several sources."""

    @property
    def source(self) -> int:
        """Number of the source."""
        ...


def find_keys(recordings: Sequence[Sourced], places: Sequence[Place]) -> list[Key]:
    """The names of each recording that may be a person's, outermost first; () where there are none.

    Folders that all recordings of a source share name nobody, unless nothing below does: a source
    that is one person's folder. A key that only the source's own name gives starts with "".
    """
    keys: list[Key] = [()] * len(places)
    for source in {recording.source for recording in recordings}:
        members = [
            index for index, recording in enumerate(recordings) if recording.source == source
        ]
        keys_of_source = _keys_of_source([places[index] for index in members])
        for index, key in zip(members, keys_of_source, strict=True):
            keys[index] = key
    return keys


def _keys_of_source(places: Sequence[Place]) -> list[Key]:
    siblings: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for place in places:
        for depth, part in enumerate(place):
            siblings[tuple(above.text for above in place[:depth])].add(part.text)
    shared = _count_shared(places)
    by_depth = [
        [find_key(_without_lone_numbers(place, siblings, depth)) for place in places]
        for depth in range(shared, 0, -1)
    ]
    for is_enough in (_all_named, _any_named, all):
        for keys in by_depth:
            if is_enough(keys):
                return keys
    if any(by_depth[-1]) if by_depth else False:
        return by_depth[-1]
    is_single = len(places) == 1 and len(places[0]) == 1
    own = find_key([places[0][0]]) or ((places[0][0].text,) if is_single else ())
    return [own if is_single else ("", *own) if own else () for _ in places]


def _all_named(keys: Sequence[Key]) -> bool:
    return all(keys) and any(not _is_number(key) for key in keys)


def _any_named(keys: Sequence[Key]) -> bool:
    return any(key and not _is_number(key) for key in keys)


def _is_number(key: Key) -> bool:
    return all(name.isdecimal() and len(name) <= 4 for name in key)


def _count_shared(places: Sequence[Place]) -> int:
    depth = 0
    while (
        all(len(place) > depth + 1 for place in places)
        and len({place[depth].text for place in places}) == 1
    ):
        depth += 1
    return depth


def _without_lone_numbers(
    place: Place, siblings: Mapping[tuple[str, ...], set[str]], start: int
) -> list[NamePart]:
    """`H100/dicom/003` without 003: a number below a word of the kind, alone in its folder."""
    kept: list[NamePart] = []
    for depth in range(start, len(place)):
        part = place[depth]
        is_series = (
            part.is_number
            and depth > start
            and not place[depth - 1].core
            and any(earlier.core for earlier in place[start:depth])
            and len(siblings[tuple(earlier.text for earlier in place[:depth])]) == 1
        )
        if not is_series:
            kept.append(part)
    return kept
