"""`ptacl erase`: withdrawn participants leave the store, the shards and everything derived."""

from collections.abc import Sequence
from pathlib import Path

from ptacl_core.cohort import Cohort, CohortLayout
from ptacl_core.cohort.erasure.app_state import find_state_files
from ptacl_core.cohort.erasure.erase import (
    BeyondStore,
    Certificate,
    ShardErasure,
    erase_patients,
    read_journal,
)
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.errors import CohortError
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.shards.erasure import erase_people, find_array_pieces, find_people
from ptacl_core.shards.locks import hold_shards


def run(cohort_dir: Path, people: Sequence[str], *, progress: ProgressSink = SILENT) -> Certificate:
    """Erase `people`, given by pseudonym or by the identifier their files carried.

    Identifiers are turned into pseudonyms under the cohort's key and searched for as well.
    Raises CohortError when one is not known (nothing is changed then), CohortLockedError when
    another process writes to the cohort, ShardError when arrays of theirs cannot be read.
    """
    layout = CohortLayout(cohort_dir.absolute())
    with hold_shards(layout.root, purpose="erase"):
        with Cohort.open(cohort_dir) as cohort:
            patients, identifiers = _resolve(cohort, people)
        progress.say("erasing: the store is made anew, then every byte is searched")
        beyond = BeyondStore(
            known=frozenset(find_people(layout.shards)),
            array_pieces=tuple(find_array_pieces(layout.shards, patients)),
            identifiers=tuple(identifiers),
            state_files=find_state_files(cohort_dir),
        )
        return erase_patients(layout, patients, erase_shards=_erase_shards, beyond=beyond)


def _erase_shards(root: Path, patients: Sequence[str]) -> ShardErasure:
    return ShardErasure(erase_people(root / "shards", patients))


def _resolve(cohort: Cohort, people: Sequence[str]) -> tuple[list[str], list[str]]:
    """Pseudonyms of `people`, and those of their names that were identifiers."""
    known = {
        row[0]
        for row in cohort.fetch(
            "SELECT patient FROM overview UNION SELECT patient FROM splits "
            "UNION SELECT patient FROM predictions"
        )
    }
    pending = set(read_journal(cohort.layout)["patients"])
    known |= find_people(cohort.layout.shards) | pending
    patients: list[str] = []
    identifiers: list[str] = []
    for person in people:
        if person in known or not person.strip() or not _has_key(cohort.layout):
            patients.append(person)
            continue
        pseudonym = open_key(cohort.layout).pseudonym(person)
        is_identifier = pseudonym in known
        patients.append(pseudonym if is_identifier else person)
        if is_identifier:
            identifiers.append(person)
    num_unknown = len(set(patients) - known)
    if num_unknown and not pending:
        raise CohortError(
            f"{num_unknown} of {len(set(patients))} people are not in this cohort (or were erased "
            "before); nothing was changed"
        )
    return patients, identifiers


def _has_key(layout: CohortLayout) -> bool:
    try:
        open_key(layout)
    except CohortError:
        return False
    return True
