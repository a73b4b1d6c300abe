"""Cohorts that were made apart, with one key, become one: shards, people, identities, store.

Every part is checked before anything is written, and every file after it was copied. A second
call copies nothing, and a call that was cut off is finished by the next.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ptacl_core.cohort import Cohort, CohortLayout
from ptacl_core.cohort.identity.aliases import FILE_NAME as KNOWN_FILE
from ptacl_core.cohort.identity.aliases import read_known
from ptacl_core.cohort.identity.identities import put_identities, read_all_identities
from ptacl_core.cohort.identity.keys import key_file, open_key, supply_key
from ptacl_core.cohort.identity.register import WithdrawnPeople, read_register
from ptacl_core.cohort.layout import CohortDescription
from ptacl_core.errors import CohortError
from ptacl_core.ingest.register import register_shards
from ptacl_core.ingest.targets import check_targets, merge_targets, merge_vectors
from ptacl_core.json_values import JsonObject
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.safety.files.lock import hold_lock
from ptacl_core.shards import merge_manifests
from ptacl_core.shards.erasure import list_sources
from ptacl_core.shards.locks import hold_shards
from ptacl_core.shards.transfer import copy_shards, find_disagreements
from ptacl_core.shards.verification import verify_shards

LOCK_FILE = ".merge-parts.lock"


@dataclass(frozen=True, slots=True)
class MergeSummary:
    """What `ptacl merge` reports; `copied` counts shards, those there already left out."""

    parts: int
    copied: int
    people: int
    visits: int

    def as_dict(self) -> JsonObject:
        """The JSON document."""
        return asdict(self)


def run(
    cohort_dir: Path, parts: Sequence[Path], *, progress: ProgressSink = SILENT
) -> MergeSummary:
    """Bring the recordings of `parts` into `cohort_dir`, which is made when it is new.

    Raises CohortError, with nothing written, when a part is damaged, was made with another key
    or other preprocessing, holds people who were erased here, or when two parts disagree about
    a recording, a person's split or a label.
    """
    layouts = [CohortLayout(path.absolute()) for path in parts]
    if not layouts:
        raise CohortError("merge: expected at least one part, got none")
    described = [CohortDescription.read(layout) for layout in layouts]
    layout = CohortLayout(cohort_dir.absolute())
    _check_alike(layout, layouts, described)
    check_targets([part.root for part in (layout, *layouts) if part.description.exists()])
    for part in layouts:
        _check_whole(part, progress)
    _check_agreement(layout, layouts)
    if not layout.description.exists():
        Cohort.create(
            cohort_dir,
            name=cohort_dir.name,
            source=described[0].source,
            preprocessing_hash=described[0].preprocessing_hash,
        ).close()
    _take_key(layout, described[0])
    _refuse_erased(layout, layouts)
    with (
        hold_lock(layout.root / LOCK_FILE, purpose="merge"),
        hold_shards(layout.root, purpose="merge"),
    ):
        progress.start("merge", len(layouts), "parts")
        copied = 0
        for part in layouts:
            copied += copy_shards(part.shards, layout.shards, beside=(KNOWN_FILE,))
            if part.identities.exists():
                put_identities(layout, read_all_identities(part))
            progress.advance("merge")
        progress.finish("merge")
        merge_manifests(layout.shards)
    description = CohortDescription.read(layout)
    register_shards(
        cohort_dir,
        name=description.name,
        source=description.source,
        convention=_find_convention(layouts),
    )
    merge_targets(cohort_dir, [part.root for part in layouts])
    merge_vectors(cohort_dir, [part.root for part in layouts])
    with Cohort.open(cohort_dir) as cohort:
        (counts,) = cohort.fetch(
            "SELECT (SELECT count(*) FROM patients), (SELECT count(*) FROM visits)"
        )
    return MergeSummary(len(layouts), copied, int(counts[0]), int(counts[1]))


def _check_alike(
    layout: CohortLayout, parts: Sequence[CohortLayout], described: Sequence[CohortDescription]
) -> None:
    """Parts, and the cohort where it is there, have one key, one source and one preprocessing."""
    names = [part.root.name for part in parts]
    facts = list(described)
    if layout.description.exists():
        names, facts = [layout.root.name, *names], [CohortDescription.read(layout), *facts]
    if len({part.root for part in parts} | {layout.root}) <= len(parts):
        raise CohortError("merge: a cohort was given twice; each part is another directory")
    first = facts[0]
    for name, fact in zip(names[1:], facts[1:], strict=True):
        for what, mine, theirs in (
            ("preprocessing", first.preprocessing_hash, fact.preprocessing_hash),
            ("source", first.source, fact.source),
            ("key", first.key_fingerprint, fact.key_fingerprint),
        ):
            if mine != theirs and not (what == "key" and first.key_fingerprint is None):
                raise CohortError(
                    f"{name}: its {what} is {theirs}, that of {names[0]} is {mine}; parts of one "
                    "cohort are made alike (`ptacl preprocess --key FILE` takes one key for all)"
                )


def _check_whole(part: CohortLayout, progress: ProgressSink) -> None:
    progress.say(f"checking {part.root.name}")
    defects = verify_shards(part.shards)
    if defects:
        shown = "; ".join(f"{defect.place}: {defect.message}" for defect in defects[:3])
        raise CohortError(
            f"{part.root.name}: {len(defects)} defects in its shards ({shown}); "
            f"`ptacl verify {part.root.name} --repair`, then merge again"
        )


def _check_agreement(layout: CohortLayout, parts: Sequence[CohortLayout]) -> None:
    folders = [part.shards for part in parts]
    if layout.shards.exists():
        folders.insert(0, layout.shards)
    disagreements = find_disagreements(folders)
    if disagreements:
        shown = "; ".join(disagreements[:5])
        raise CohortError(
            f"parts disagree in {len(disagreements)} places: {shown}. Nothing was merged; make "
            "the parts that are wrong anew"
        )


def _refuse_erased(layout: CohortLayout, parts: Sequence[CohortLayout]) -> None:
    for part in parts:
        with Cohort.open(part.root) as theirs, Cohort.open(layout.root) as ours:
            people = [row[0] for row in theirs.fetch("SELECT patient FROM patients")]
            erased = ours.find_erased(people) | _find_withdrawn(layout, part, people)
        if erased:
            raise CohortError(
                f"{part.root.name}: holds {len(erased)} people who were erased from "
                f"{layout.root.name}; erase them from the part as well, then merge again"
            )


def _find_withdrawn(layout: CohortLayout, part: CohortLayout, people: Sequence[str]) -> set[str]:
    """Those of a part whom the register of `layout` knows, in whatever spelling they came.

    By keyed hashes of their identifiers, which the part's sealed evidence and identities lead to,
    and of their files.
    """
    fingerprint = CohortDescription.read(layout).key_fingerprint
    register = read_register(layout, key_fingerprint=fingerprint)
    if register.is_empty:
        return set()
    key = open_key(layout)
    withdrawn = WithdrawnPeople(register, key)
    known = read_known(part.shards, key)
    patients = {known.find("person", person) for person in register.people}
    patients |= {
        patient
        for patient, identifier in read_all_identities(part).items()
        if withdrawn.holds_identifier(identifier)
    }
    patients |= {
        patient
        for patient, digest in list_sources(part.shards)
        if withdrawn.holds_recording(digest)
    }
    return {patient for patient in patients if patient in set(people)}


def _take_key(layout: CohortLayout, described: CohortDescription) -> None:
    """The parts' key becomes the cohort's; without the key here, its fingerprint alone."""
    if described.key_fingerprint is None:
        return
    file = key_file(described.cohort_id)
    if file.exists():
        supply_key(layout, file)
        return
    mine = CohortDescription.read(layout)
    if mine.key_fingerprint is None:
        replace(mine, key_fingerprint=described.key_fingerprint).write(layout)


def _find_convention(parts: Sequence[CohortLayout]) -> str:
    """How the phenotypes were measured, as the first part that has any says."""
    for part in parts:
        with Cohort.open(part.root) as cohort:
            rows = cohort.fetch("SELECT any_value(convention) FROM phenotypes")
        if rows[0][0]:
            return str(rows[0][0])
    return "as given"
