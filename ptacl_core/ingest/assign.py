"""People of a plan → pseudonyms: those of the cohort are found again by what told them before."""

from collections import defaultdict
from collections.abc import Sequence

from ptacl_core.cohort.identity.aliases import KnownPeople
from ptacl_core.cohort.identity.keys import CohortKey
from ptacl_core.cohort.identity.register import hash_person
from ptacl_core.ingest.plan import PlannedVisit
from ptacl_core.io.identity.facts import fold_identifier

_MIN_NAME = 3


def assign_patients(
    visits: Sequence[PlannedVisit], known: KnownPeople, key: CohortKey
) -> dict[str, str]:
    """Subject → pseudonym, for all people of the plan; what told them is remembered.

    A person whose identifier the cohort knows is that person. Else the name of a file or folder
    that led to one person before leads there again, unless that person has another identifier of
    the same coding: then it is another person of the same name.
    """
    names: dict[str, set[str]] = defaultdict(set)
    codings: dict[str, set[str]] = defaultdict(set)
    for visit in visits:
        folded = {fold_identifier(name) for name in visit.names}
        names[visit.subject] |= {name for name in folded if _is_telling(name)}
        codings[visit.subject] |= set(visit.codings)
    shared = _shared_names(names)
    patients: dict[str, str] = {}
    for subject, own_names in names.items():
        own = fold_identifier(subject)
        other_names = own_names - shared - {own}
        patient = known.find("id", own) or _find_by_names(other_names, codings[subject], known)
        patients[subject] = patient or key.pseudonym(subject)
    for subject, patient in patients.items():
        known.add("id", fold_identifier(subject), patient)
        known.add("person", hash_person(key, subject), patient)  # what a withdrawal asks by
        for name in names[subject] - shared:
            known.add("name", name, patient)
        for coding in codings[subject]:
            known.add_mark("coding", patient, coding, owner=patient)
    return patients


def _find_by_names(names: set[str], codings: set[str], known: KnownPeople) -> str | None:
    patients = {
        patient
        for name in names
        for kind in ("id", "name")
        if (patient := known.find(kind, name)) is not None
    }
    if len(patients) != 1:
        return None
    patient = next(iter(patients))
    is_another = any(known.has_mark("coding", patient, coding) for coding in codings)
    return None if is_another else patient


def _shared_names(names: dict[str, set[str]]) -> set[str]:
    once: set[str] = set()
    shared: set[str] = set()
    for name in names.values():
        shared |= once & name
        once |= name
    return shared


def _is_telling(name: str) -> bool:
    return len(name) >= _MIN_NAME and not (name.isdecimal() and len(name) <= _MIN_NAME + 1)
