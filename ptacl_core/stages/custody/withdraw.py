"""`ptacl withdraw` and `ptacl erase`: people come on the register, and leave every cohort."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ptacl_core.cohort import Cohort, CohortDescription, CohortLayout
from ptacl_core.cohort.erasure.app_state import find_state_files
from ptacl_core.cohort.erasure.certificate import Certificate
from ptacl_core.cohort.erasure.erase import BeyondStore, ShardErasure, erase_patients
from ptacl_core.cohort.erasure.journal import read_journal
from ptacl_core.cohort.identity.keys import CohortKey, find_key
from ptacl_core.cohort.identity.lineage import find_runs
from ptacl_core.cohort.identity.register import (
    hash_person,
    hash_recording,
    is_written_beside_key,
    read_register,
    write_register,
)
from ptacl_core.cohort.notes.notebook import Notes
from ptacl_core.embedding.refit import refit_readouts
from ptacl_core.errors import CohortError
from ptacl_core.json_values import JsonObject
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.runs.lineage import list_run_stages
from ptacl_core.runs.trainings import settle_trainings
from ptacl_core.safety.files.scratch import find_scratch_folders, is_abandoned
from ptacl_core.shards.erasure import erase_people, find_array_pieces, find_people, find_sources
from ptacl_core.shards.locks import hold_shards
from ptacl_core.stages.custody.people import ResolvedPeople, find_members, resolve_people


@dataclass(frozen=True, slots=True)
class WithdrawalSummary:
    """What a list came to in one cohort.

    `matched` people were in it and left, `already_gone` had left before, `not_yet_seen` are on
    the register and stay out. `certificate` is None when nobody had to leave.
    """

    cohort: Path
    listed: int
    matched: int
    already_gone: int
    not_yet_seen: int
    certificate: Certificate | None

    @property
    def is_complete(self) -> bool:
        """False when a trace was found, or something could not be searched."""
        return self.certificate is None or self.certificate.is_complete

    def as_dict(self) -> JsonObject:
        """The JSON document of one cohort."""
        nobody = {"people": 0, "is_complete": True, "certificate": None}
        return {
            "cohort": str(self.cohort),
            "listed": self.listed,
            "matched": self.matched,
            "already_gone": self.already_gone,
            "not_yet_seen": self.not_yet_seen,
            **(nobody if self.certificate is None else self.certificate.as_dict()),
        }


def run(
    cohort_dir: Path,
    identifiers: Sequence[str],
    *,
    is_shared: bool = False,
    may_stop: bool = False,
    progress: ProgressSink = SILENT,
) -> WithdrawalSummary:
    """Put people on the register of a cohort, and take those out who are in it.

    `identifiers` are those that files carry, in any spelling, or pseudonyms; none: an erasure
    that was interrupted is ended, and people whom the register knows leave. `is_shared` writes
    the register of the cohort's key too, `may_stop` ends trainings with these people. A second
    call changes nothing. Raises CohortError when the key is missing, without which it cannot be
    told who is meant, CohortLockedError when another process writes to the cohort or trains.
    """
    layout = CohortLayout(cohort_dir.absolute())
    with hold_shards(layout.root, purpose="withdraw"):
        key = find_key(layout, create=True)
        if key is None:
            raise CohortError(
                f"{layout.root.name}: the cohort's key is not on this machine, so it cannot be "
                "told whether these people are in it; nothing was changed. Copy the key from where "
                "the cohort was made, or set PTACL_KEYS to its folder"
            )
        register = read_register(layout, key_fingerprint=key.fingerprint)
        with Cohort.open(layout.root) as cohort:
            resolved = resolve_people(cohort, key, identifiers, register)
            returned = cohort.find_erased(find_members(cohort)) - resolved.members.keys()
        resolved.members.update({patient: [] for patient in returned})
        _put_on_register(layout, key, identifiers, resolved, is_shared=is_shared)
        certificate = None
        if resolved.members or not read_journal(layout).is_empty:
            certificate = _erase(layout, key, resolved, may_stop=may_stop, progress=progress)
    refit_readouts(layout.root, progress=progress)  # also those of a call that was killed here
    return WithdrawalSummary(
        layout.root,
        listed=len(set(identifiers)),
        matched=0 if certificate is None else len(certificate.tombstones),
        already_gone=len(resolved.gone),
        not_yet_seen=len(resolved.unseen),
        certificate=certificate,
    )


def _put_on_register(
    layout: CohortLayout,
    key: CohortKey,
    identifiers: Sequence[str],
    resolved: ResolvedPeople,
    *,
    is_shared: bool,
) -> None:
    """Before anything is removed: whatever reads the register next leaves these people out."""
    known = read_register(layout, key_fingerprint=key.fingerprint)
    outside = {*resolved.unseen}
    people = {
        hash_person(key, identifier): identifier not in outside
        for identifier in identifiers
        if identifier.strip()
    }
    recordings = {
        hash_recording(key, source) for source in find_sources(layout.shards, resolved.members)
    }
    register = known.including(people, recordings)
    if register == known and (not is_shared or is_written_beside_key(register, key)):
        return
    digest = write_register(layout, register, key, is_shared=is_shared)
    notes = Notes(layout, CohortDescription.read(layout).cohort_id)
    notes.append_audit(
        "withdraw",
        listed=len(people),
        matched=len(resolved.members),
        already_gone=len(resolved.gone),
        not_yet_seen=len(resolved.unseen),
        register_sha256=digest,
    )


def _erase(
    layout: CohortLayout,
    key: CohortKey,
    resolved: ResolvedPeople,
    *,
    may_stop: bool,
    progress: ProgressSink,
) -> Certificate:
    patients = sorted(resolved.members)
    run_stages = list_run_stages(layout)
    runs = find_runs(layout, key=key, people=patients, existing=run_stages)
    settle_trainings(layout, set(runs.trained), may_stop=may_stop, progress=progress)
    beyond = BeyondStore(
        known=frozenset(find_people(layout.shards)),
        array_pieces=tuple(find_array_pieces(layout.shards, patients)),
        identifiers=tuple(resolved.identifiers),
        state_files=find_state_files(layout.root),
        run_stages=list_run_stages(layout),
    )
    return erase_patients(
        layout,
        patients,
        erase_shards=_erase_shards,
        beyond=beyond,
        also_search=_clear_scratch(progress),
        progress=progress,
    )


def _erase_shards(root: Path, patients: Sequence[str]) -> ShardErasure:
    return ShardErasure(erase_people(root / "shards", patients))


def _clear_scratch(progress: ProgressSink) -> list[Path]:
    """Remove temporary folders of jobs that were killed; those of living jobs are searched."""
    left = []
    for folder in find_scratch_folders():
        if is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
            progress.say(f"removed {folder.name}, which a job that was killed had left")
        if folder.exists():
            left.append(folder)
    return left
