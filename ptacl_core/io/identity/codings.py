"""Which identifiers in files tell people apart: not blank, not everybody's, not another code."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Protocol

from ptacl_core.io.identity.facts import (
    InsideFacts,
    clean_identifier,
    find_shape,
    fold_identifier,
)

MIN_CONSTANT_NAMES = 8
"""From so many differently named recordings on, one and the same identifier is nobody's."""
_MIN_BUNDLES = 3


class Carrier(Protocol):
    """A recording with its modality and what it says inside."""

    @property
    def modality(self) -> str:
        """Either "ecg" or "cmr"."""
        ...

    @property
    def facts(self) -> InsideFacts:
        """What the file says."""
        ...

    @property
    def subject(self) -> str:
        """Who it is, where that is decided."""
        ...


def find_untold(
    recordings: Sequence[Carrier],
    keys: Sequence[tuple[str, ...]],
    tokens: Sequence[frozenset[str]],
) -> list[str]:
    """The identifier of each recording that counts as evidence, "" where there is none.

    Blank ones and words for "nobody" do not count, nor one that is the same in files of many
    names while sexes or birth dates differ or the names alone make up whole pairs; nor the codes of
    one modality when every folder holds another code of the other modality.
    """
    stated = [clean_identifier(recording.facts.identifier) for recording in recordings]
    for members in _by_coding(recordings, stated).values():
        if _is_constant(recordings, stated, keys, tokens, members):
            for index in members:
                stated[index] = ""
    for members in _by_coding(recordings, stated).values():
        if _is_other_coding(stated, tokens, members):
            for index in members:
                stated[index] = ""
    for index in _find_foreign_codes(recordings, stated, keys, tokens):
        stated[index] = ""
    return stated


def pick_written_form(forms: Counter[str]) -> str:
    """Of the spellings of one identifier the longest and then first: the same in every order."""
    return min(forms, key=lambda text: (-len(text), text))


def _by_coding(recordings: Sequence[Carrier], stated: Sequence[str]) -> dict[str, list[int]]:
    members: dict[str, list[int]] = defaultdict(list)
    for index, recording in enumerate(recordings):
        if stated[index]:
            members[recording.facts.coding].append(index)
    return members


def _is_constant(
    recordings: Sequence[Carrier],
    stated: Sequence[str],
    keys: Sequence[tuple[str, ...]],
    tokens: Sequence[frozenset[str]],
    members: Sequence[int],
) -> bool:
    """Whether the only identifier of a coding is put into everybody's files."""
    values = {fold_identifier(stated[index]) for index in members}
    names = {keys[index] for index in members} - {()}
    if len(values) > 1 or len(names) < 2 or any(values <= tokens[index] for index in members):
        return False
    sexes = {recordings[index].facts.sex for index in members} - {""}
    births = {recordings[index].facts.birth_date for index in members} - {""}
    if len(sexes) > 1 or len(births) > 1 or len(names) >= MIN_CONSTANT_NAMES:
        return True
    kinds: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for recording, key in zip(recordings, keys, strict=True):
        kinds[key].add(recording.modality)
    return sum(kinds[name] == {"ecg", "cmr"} for name in names) >= _MIN_BUNDLES


def _is_other_coding(
    stated: Sequence[str], tokens: Sequence[frozenset[str]], members: Sequence[int]
) -> bool:
    """Whether paths carry the identifiers of other files, one to one, and these look different."""
    own = {fold_identifier(stated[index]) for index in members}
    inside = set(members)
    others = {index: text for index, text in enumerate(stated) if text and index not in inside}
    theirs = {fold_identifier(text) for text in others.values()}
    is_alike = {find_shape(stated[i]) for i in members} & {find_shape(t) for t in others.values()}
    if own & theirs or is_alike:
        return False
    led: dict[str, set[str]] = defaultdict(set)
    back: dict[str, set[str]] = defaultdict(set)
    for index in members:
        code = fold_identifier(stated[index])
        if code in tokens[index]:
            return False
        for name in tokens[index] & theirs:
            led[name].add(code)
            back[code].add(name)
    is_one_to_one = all(len(codes) == 1 for codes in (*led.values(), *back.values()))
    return bool(led) and is_one_to_one


def _find_foreign_codes(
    recordings: Sequence[Carrier],
    stated: Sequence[str],
    keys: Sequence[tuple[str, ...]],
    tokens: Sequence[frozenset[str]],
) -> set[int]:
    """Recordings whose identifiers do not compare: ECG and CMR of each folder, coded apart.

    The names decide then. Codes that look alike are compared unless three folders agree that they
    are not the same, one to one.
    """
    values: dict[str, set[str]] = {"ecg": set(), "cmr": set()}
    shapes: dict[str, set[str]] = {"ecg": set(), "cmr": set()}
    by_key: dict[tuple[str, ...], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    members: set[int] = set()
    for index, recording in enumerate(recordings):
        if not stated[index] or not keys[index]:
            continue
        folded = fold_identifier(stated[index])
        if folded in tokens[index]:
            return set()
        members.add(index)
        values[recording.modality].add(folded)
        shapes[recording.modality].add(find_shape(stated[index]))
        by_key[keys[index]][recording.modality].add(folded)
    if not values["ecg"] or not values["cmr"] or values["ecg"] & values["cmr"]:
        return set()
    both = [kinds for kinds in by_key.values() if kinds["ecg"] and kinds["cmr"]]
    if not both or any(len(kinds["ecg"]) > 1 or len(kinds["cmr"]) > 1 for kinds in by_key.values()):
        return set()
    is_one_to_one = len(by_key) == len(values["ecg"] | values["cmr"]) / 2 == len(both)
    looks_apart = not shapes["ecg"] & shapes["cmr"]
    return members if is_one_to_one and (looks_apart or len(both) >= _MIN_BUNDLES) else set()
