"""From the evidence of all recordings to one person each, or to a reason why that is not known.

What decides (a pairs file, a table of the data set, a layout) decides. Otherwise identifiers inside
files count before names, names of folders and files before nothing, and what contradicts is left
out: a recording under another person's name is worse than one recording less.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

from ptacl_core.io.identity.codings import find_untold, pick_written_form
from ptacl_core.io.identity.conflicts import find_shared_identifiers
from ptacl_core.io.identity.facts import NO_FACTS, InsideFacts, find_shape, fold_identifier
from ptacl_core.io.identity.keys import Key, find_keys
from ptacl_core.io.identity.names import NamePart, find_bare_label, find_visit, split_place


@dataclass(frozen=True, slots=True)
class Evidence:
    """One recording before it is known whose it is.

    `place` is its path from the source's own name on, the file's ending cut off; `source` numbers
    the sources of a call. `subject` and `visit` are set, with `decided_by`, where a pairs file, a
    table or a layout tells them; without `is_firm` (a layout that was recognised, not named) a file
    that carries another known person's identifier is left out all the same.
    """

    place: PurePath
    modality: Literal["ecg", "cmr"]
    facts: InsideFacts = NO_FACTS
    source: int = 0
    subject: str = ""
    visit: str = ""
    decided_by: str = ""
    is_firm: bool = True


@dataclass(frozen=True, slots=True)
class Person:
    """Whose a recording is: `subject`, "" when not known, then `reason` and `message` say why.

    `evidence` names what told it, strongest first; `visit` is a label ("" none).
    """

    subject: str
    visit: str = ""
    evidence: tuple[str, ...] = ()
    reason: str = ""
    message: str = ""
    names: tuple[str, ...] = ()


def resolve_people(recordings: Sequence[Evidence]) -> list[Person]:
    """The person of each recording, in the order given; see the module for the rules."""
    return _Resolution(list(recordings)).run()


@dataclass(slots=True)
class _Resolution:
    recordings: list[Evidence]
    parts: list[tuple[NamePart, ...]] = field(init=False)
    keys: list[Key] = field(init=False)
    decided: set[str] = field(default_factory=set)
    faults: dict[Key, Person] = field(default_factory=dict)
    inside: list[str] = field(init=False)
    shared: set[str] = field(init=False)
    people: dict[int, Person] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.decided = {fold_identifier(r.subject) for r in self.recordings if r.decided_by}
        places = [split_place(recording.place) for recording in self.recordings]
        self.parts = [place[1:] or place for place in places]
        self.keys = _spell_alike(find_keys(self.recordings, places))
        self.inside = find_untold(self.recordings, self.keys, [_tokens_of(p) for p in self.parts])
        self.shared = find_shared_identifiers(self.recordings, self.inside, self.keys)

    def run(self) -> list[Person]:
        open_ones: list[int] = []
        for index, recording in enumerate(self.recordings):
            if recording.decided_by:
                self.people[index] = self._take_decided(index)
            else:
                open_ones.append(index)
        nameless: list[int] = []
        known = self._known_identifiers()
        for index, person in list(self.people.items()):
            self.people[index] = self._check_decided(index, person)
        for index in open_ones:
            person = self._by_identifier(index, known)
            if person is None:
                nameless.append(index)
            else:
                self.people[index] = person
        self._by_names(nameless, known)
        return [self.people[index] for index in range(len(self.recordings))]

    def _take_decided(self, index: int) -> Person:
        recording = self.recordings[index]
        evidence = [recording.decided_by]
        inside = self.inside[index]
        if inside and fold_identifier(inside) == fold_identifier(recording.subject):
            evidence.append("identifier in the file")
        if not recording.subject:
            return Person("", reason="not_in_table", message=_NOT_IN_TABLE)
        return Person(recording.subject, recording.visit, tuple(evidence))

    def _check_decided(self, index: int, person: Person) -> Person:
        """A recognised layout yields where the file carries another person's identifier."""
        inside = fold_identifier(self.inside[index])
        is_another = (
            bool(inside) and inside in self.decided and inside != fold_identifier(person.subject)
        )
        if self.recordings[index].is_firm or not person.subject or not is_another:
            return person
        return Person("", reason="identity_contradicts", message=_CONTRADICTS)

    def _known_identifiers(self) -> dict[str, str]:
        """Folded identifiers of this call → the form in which they are written."""
        forms: dict[str, Counter[str]] = defaultdict(Counter)
        for recording, inside in zip(self.recordings, self.inside, strict=True):
            for text in (inside, recording.subject):
                if text:
                    forms[fold_identifier(text)][text] += 1
        return {folded: pick_written_form(counts) for folded, counts in forms.items()}

    def _by_identifier(self, index: int, known: Mapping[str, str]) -> Person | None:
        """The person by the identifier inside, or by one of another file that the path names."""
        inside = fold_identifier(self.inside[index])
        named = {
            token
            for token in _tokens_of(self.parts[index])
            if token in known and _is_telling(token)
        }
        if not inside and not named:
            return None
        others = named - {inside}
        if inside and others:
            return Person("", reason="identity_contradicts", message=_CONTRADICTS)
        if len(named) > 1:
            return Person("", reason="identity_contradicts", message=_TWO_NAMES)
        identifier = inside or next(iter(named))
        if identifier in self.shared:
            return Person("", reason="identity_contradicts", message=_SEVERAL_PEOPLE)
        evidence = ["identifier in the file"] if inside else []
        if named:
            evidence.append("name" if inside else "name that is an identifier in other files")
        visit = find_visit(self.parts[index])
        return Person(known[identifier], visit, tuple(evidence), names=self.keys[index][-1:])

    def _by_names(self, indices: Sequence[int], known: Mapping[str, str]) -> None:
        """Recordings that carry no identifier: whose folders or stems name one person alone."""
        by_key: dict[Key, list[int]] = defaultdict(list)
        for index in indices:
            by_key[self.keys[index]].append(index)
        self.faults = self._find_name_faults(by_key, known)
        for key, members in by_key.items():
            owner = self._find_owner(key)
            for index in members:
                visit = find_visit(self.parts[index])
                fault = owner if isinstance(owner, Person) else self.faults.get(key)
                if isinstance(owner, str):
                    evidence = ("folder or name of an identified recording",)
                    self.people[index] = Person(owner, visit, evidence, names=key[-1:])
                elif fault is not None:
                    self.people[index] = fault
                else:
                    self.people[index] = Person(key[-1], visit, ("name",), names=key[-1:])

    def _find_owner(self, key: Key) -> str | Person | None:
        """Who the identified recordings of the same names are: one person, or a contradiction."""
        owners = {
            person.subject
            for index, person in self.people.items()
            if key and self.keys[index] == key and person.subject and self.inside[index]
        }
        if len(owners) > 1:
            return Person("", reason="identity_contradicts", message=_SHARED_NAME)
        return next(iter(owners), None)

    def _find_name_faults(
        self, by_key: Mapping[Key, Sequence[int]], known: Mapping[str, str]
    ) -> dict[Key, Person]:
        """Names that may be one person's or several people's."""
        undecided = [index for index, r in enumerate(self.recordings) if not r.decided_by]
        all_keys = {self.keys[index] for index in undecided} - {()}
        same_end: dict[str, set[Key]] = defaultdict(set)
        above: set[Key] = set()
        for key in all_keys:
            same_end[fold_identifier(key[-1])].add(key)
            above.update(key[:length] for length in range(1, len(key)))
        is_trusted = self._find_trusted_names(by_key)
        faults: dict[Key, Person] = {}
        for key, members in by_key.items():
            folded = fold_identifier(key[-1]) if key else ""
            if not key or (key[0] == "" and self._is_crowded(members)):
                faults[key] = Person("", reason="identity_unknown", message=_NAMELESS)
            elif key[0] == "" and self._may_be_people(members):
                faults[key] = Person("", reason="identity_unknown", message=_DATED)
            elif len(same_end[folded]) > 1:
                faults[key] = Person("", reason="same_name_elsewhere", message=_SAME_NAME)
            elif (
                folded in known
                or key in above
                or any(key[:length] in all_keys for length in range(1, len(key)))
                or any(self._is_number_below_kind(index) for index in members)
            ):
                faults[key] = Person("", reason="identity_unknown", message=_NESTED)
            elif not is_trusted(key[-1]):
                faults[key] = Person("", reason="identity_unknown", message=_FOREIGN_NAME)
        return faults

    def _find_trusted_names(self, by_key: Mapping[Key, Sequence[int]]) -> Callable[[str], bool]:
        """Which names may be people's, judged by those that are known to be.

        Known are names that are the identifiers inside, and names that an ECG and a cine share.
        Where files carry other identifiers than their names, or ECGs and cines are named in
        different ways, a name by itself tells nobody.
        """
        has_identifiers = False
        kinds: dict[Key, set[str]] = defaultdict(set)
        shapes: set[str] = set()
        for index, recording in enumerate(self.recordings):
            key = self.keys[index]
            if recording.decided_by or not key:
                continue
            kinds[key].add(recording.modality)
            if self.inside[index]:
                has_identifiers = True
                if fold_identifier(key[-1]) == fold_identifier(self.inside[index]):
                    shapes.add(_shape_of(key[-1]))
        shapes |= {_shape_of(key[-1]) for key, held in kinds.items() if len(held) > 1}
        named = {
            m: {_shape_of(k[-1]) for k in by_key if k and m in kinds[k]} for m in ("ecg", "cmr")
        }
        if not shapes and not has_identifiers:
            is_one_way = not named["ecg"] or not named["cmr"] or named["ecg"] & named["cmr"]
            shapes = named["ecg"] | named["cmr"] if is_one_way else set()
        return lambda name: _shape_of(name) in shapes

    def _is_crowded(self, members: Sequence[int]) -> bool:
        """Two recordings of a kind and visit, where only the source's own name tells who."""
        held = Counter(
            (self.recordings[index].modality, find_visit(self.parts[index])) for index in members
        )
        return any(count > 1 for count in held.values())

    def _may_be_people(self, members: Sequence[int]) -> bool:
        """Folders that are called `19500304`, `2001` or `T3` in a source that no number names.

        They are the visits of one person, or people by birth date, number or code.
        """
        own = self.keys[members[0]][-1]
        labels = {find_bare_label(part) for index in members for part in self.parts[index]}
        return not any(character.isdecimal() for character in own) and len(labels - {""}) > 1

    def _is_number_below_kind(self, index: int) -> bool:
        """`H100/dicom/003` and `H100/dicom/004`: series of one person, or people of a ward."""
        key, parts = self.keys[index], self.parts[index]
        if len(key) < 2 or not (key[-1].isdecimal() and len(key[-1]) <= 4):
            return False
        depth = next(depth for depth, part in enumerate(parts) if part.core == key[-1])
        return depth > 0 and not parts[depth - 1].core


_CONTRADICTS = (
    "the identifier inside differs from the one that the folders or the name carry; correct the "
    "file, or say whose it is in a list given by --pairs"
)
_SEVERAL_PEOPLE = (
    "several people carry its identifier, or one is entered wrongly: files with it state different "
    "sexes, birth dates or issuers, or it is a short number at several sites; say whose it is with "
    "--pairs"
)
_TWO_NAMES = "its path carries the identifiers of two people; say whose it is with --pairs"
_SHARED_NAME = (
    "it carries no identifier, and recordings of several people lie under the same name; say whose "
    "it is with --pairs"
)
_SAME_NAME = (
    "it carries no identifier, and folders or files of the same name lie in several places: one "
    "person or several is not known; say it with --pairs, or give the folders as separate sources"
)
_NESTED = (
    "it carries no identifier, and the names above and below it may be people or parts of one "
    "examination; say whose it is with --pairs, or name the data set with --layout"
)
_FOREIGN_NAME = (
    "it carries no identifier, and its name is not of the kind that names people here; say whose "
    "it is with --pairs"
)
_NAMELESS = "neither the file nor its name nor its folders say whose it is; say it with --pairs"
_DATED = (
    "its folder is a date, a number or a code: a visit of the one person whose folder the source "
    "is, or a person; say it with --pairs"
)
_NOT_IN_TABLE = (
    "the data set's table does not list it, so that it is not known whose it is; add it there, or "
    "say it with --pairs"
)


def _spell_alike(keys: Sequence[Key]) -> list[Key]:
    """Names that differ in spelling alone (`P17`, `P0017`; accents in two encodings) made one."""
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    for key in keys:
        for name in key:
            forms[fold_identifier(name)][name] += 1
    written = {folded: pick_written_form(names) for folded, names in forms.items()}
    return [tuple(written[fold_identifier(name)] for name in key) for key in keys]


def _shape_of(name: str) -> str:
    """What kind of name it is: letters in whatever number, digits with theirs."""
    return re.sub(r"A\d+", "A", find_shape(name))


def _tokens_of(parts: Sequence[NamePart]) -> frozenset[str]:
    """What may be an identifier along a path, folded: whole names, cores and their words."""
    tokens = {fold_identifier(part.text) for part in parts}
    tokens |= {fold_identifier(part.core) for part in parts if part.core}
    tokens |= {fold_identifier(word) for part in parts for word in part.words}
    tokens |= {fold_identifier(word[4:]) for p in parts for word in p.words if word[:4] == "sub-"}
    return frozenset(tokens - {""})


def _is_telling(token: str) -> bool:
    """Long enough that a series number or a visit cannot be it by chance."""
    return len(token) >= 3 and not (token.isdecimal() and len(token) < 4)
