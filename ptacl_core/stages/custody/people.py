"""Whom a list of identifiers means: members of a cohort, people who left it, people to come."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ptacl_core.cohort import Cohort, CohortDescription
from ptacl_core.cohort.identity.aliases import read_known
from ptacl_core.cohort.identity.identities import read_all_identities
from ptacl_core.cohort.identity.keys import CohortKey
from ptacl_core.cohort.identity.register import WithdrawalRegister, hash_person
from ptacl_core.cohort.identity.spellings import canonical_identifier, list_spellings
from ptacl_core.io.identity.facts import fold_identifier
from ptacl_core.shards.erasure import find_people


@dataclass(slots=True)
class ResolvedPeople:
    """`members` by pseudonym with the identifiers that led to them; the others by identifier."""

    members: dict[str, list[str]] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    @property
    def identifiers(self) -> list[str]:
        """Identifiers that led to members."""
        return sorted({pseudonym for member in self.members.values() for pseudonym in member})


def resolve_people(
    cohort: Cohort, key: CohortKey, identifiers: Sequence[str], register: WithdrawalRegister
) -> ResolvedPeople:
    """Match identifiers, in any spelling, and pseudonyms with the people of a cohort.

    A pseudonym is made of one spelling, so every spelling that files are known to use is tried;
    where the cohort keeps sealed evidence or identities, these tell as well. In a simulated
    cohort pseudonyms are the identifiers, and are known in every spelling.
    """
    members = find_members(cohort)
    own: dict[str, set[str]] = {}
    if CohortDescription.read(cohort.layout).source == "simulated":
        for member in members:
            own.setdefault(canonical_identifier(member), set()).add(member)
    known = read_known(cohort.layout.shards, key)
    kept = {
        canonical_identifier(identifier): pseudonym
        for pseudonym, identifier in read_all_identities(cohort.layout).items()
    }
    tombstones = {row[0] for row in cohort.fetch("SELECT tombstone FROM tombstones")}
    resolved = ResolvedPeople()
    for identifier in dict.fromkeys(
        identifier.strip() for identifier in identifiers if identifier.strip()
    ):
        spellings = list_spellings(identifier)
        pseudonyms = {identifier, *map(key.pseudonym, spellings)}
        for spelling in (identifier, canonical_identifier(identifier)):
            pseudonyms.add(known.find("id", fold_identifier(spelling)) or "")
        pseudonyms.add(known.find("person", hash_person(key, identifier)) or "")
        pseudonyms.add(kept.get(canonical_identifier(identifier), ""))
        pseudonyms |= own.get(canonical_identifier(identifier), set())
        members_named = pseudonyms & members
        for pseudonym in members_named:
            resolved.members.setdefault(pseudonym, []).extend(
                [] if pseudonym == identifier else [identifier]
            )
        if members_named:
            continue
        entry = register.people.get(hash_person(key, identifier))
        was_member = (entry is not None and entry.was_member) or any(
            key.tombstone(pseudonym) in tombstones for pseudonym in pseudonyms if pseudonym
        )
        (resolved.gone if was_member else resolved.unseen).append(identifier)
    return resolved


def find_members(cohort: Cohort) -> set[str]:
    """Pseudonyms of everybody of whom the cohort holds anything."""
    rows = cohort.fetch(
        "SELECT patient FROM overview UNION SELECT patient FROM splits "
        "UNION SELECT patient FROM predictions UNION SELECT patient FROM target_values "
        "UNION SELECT patient FROM vectors"
    )
    return {row[0] for row in rows} | find_people(cohort.layout.shards)
