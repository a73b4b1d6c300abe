"""One identifier that several people carry: other sexes, birth dates, issuers, or sites."""

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from ptacl_core.io.identity.facts import InsideFacts, find_issuer, fold_identifier

_BIRTH_PATTERNS = ("%Y%m%d", "%Y-%m-%d", "%m-%d-%Y", "%m/%d/%Y", "%d-%b-%Y", "%d.%m.%Y")
_NOT_DATES = {date(1900, 1, 1), date(1800, 1, 1), date(1, 1, 1), date(1970, 1, 1)}
"""What software writes where a birth date is not known."""
_WEAK_DIGITS = 3
_STUDY_DIGITS = 4


class Told(Protocol):
    """A recording, of which modality it is and what it says inside."""

    @property
    def modality(self) -> str:
        """Either "ecg" or "cmr"."""
        ...

    @property
    def facts(self) -> InsideFacts:
        """What the file says."""
        ...


def find_shared_identifiers(
    recordings: Sequence[Told], inside: Sequence[str], keys: Sequence[tuple[str, ...]]
) -> set[str]:
    """Folded identifiers that more than one person carries.

    The files then state both sexes, different birth dates or different issuers; or the number is so
    short that every site has it, and it lies below several names: up to three digits, or four where
    several names hold both an ECG and a cine of it, as sites do.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for index, text in enumerate(inside):
        if text:
            members[fold_identifier(text)].append(index)
    shared: set[str] = set()
    for folded, indices in members.items():
        facts = [recordings[index].facts for index in indices]
        sexes = {fact.sex[:1].upper() for fact in facts} & {"M", "F"}
        births = {birth for fact in facts if (birth := parse_birth(fact.birth_date)) is not None}
        issuers = {issuer for fact in facts if (issuer := find_issuer(fact.identifier))}
        sites: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for index in indices:
            if above := _names_above(keys[index], folded):
                sites[above].add(recordings[index].modality)
        num_whole = sum(len(modalities) > 1 for modalities in sites.values())
        is_of_sites = folded.isdecimal() and len(folded) <= _STUDY_DIGITS and num_whole > 1
        is_weak = is_of_sites or (
            folded.isdecimal() and len(folded) <= _WEAK_DIGITS and len(sites) > 1
        )
        if is_weak or max(len(sexes), len(births), len(issuers)) > 1:
            shared.add(folded)
    return shared


def parse_birth(text: str) -> date | None:
    """A birth date in the forms of DICOM, MUSE, Philips, EDF+ and SCP; None for another."""
    text = text.strip()
    if re.fullmatch(r"[0-9a-f]{8}", text) and not re.fullmatch(r"(?:18|19|20)\d{6}", text):
        return _from_scp(bytes.fromhex(text))
    for pattern in _BIRTH_PATTERNS:
        try:
            parsed = datetime.strptime(text[:11].title(), pattern).date()
        except ValueError:
            continue
        return None if parsed in _NOT_DATES else parsed
    return None


def _from_scp(raw: bytes) -> date | None:
    try:
        parsed = date(int.from_bytes(raw[:2], "little"), raw[2], raw[3])
    except ValueError:
        return None
    return None if parsed in _NOT_DATES else parsed


def _names_above(key: tuple[str, ...], folded: str) -> tuple[str, ...]:
    """The names that a person's own stands below."""
    own = [place for place, name in enumerate(key) if fold_identifier(name) == folded]
    return key[: own[0]] if own else ()
