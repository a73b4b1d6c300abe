"""A withdrawn person leaves the cohort: everything is made anew without them, then searched.

Deleting rows is not enough: the bytes stay in the file. So the store, the notes, the lineage and
the identities are rebuilt, indexes and features are deleted (they are caches), exports and run
files that name the person are cleaned, the shards' own code removes the arrays, and the whole
directory is searched for the person's bytes. Read-outs that were fitted with them go, and what
they predicted of everybody: from a mean or a least-squares fit and the rows of the others, theirs
would follow. What remains is a keyed hash that keeps them from coming back, a mark on the runs
that were trained with them, and a certificate that names nobody.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptacl_core.cohort.engine import connect_reader, descriptor_path, execute, readable_errors
from ptacl_core.cohort.erasure.byte_search import SearchReport, search_directories
from ptacl_core.cohort.erasure.certificate import Certificate, certify
from ptacl_core.cohort.erasure.derived_files import clean_derived_files, remove_naming_files
from ptacl_core.cohort.erasure.journal import Journal, journal_files, read_journal, remove_journal
from ptacl_core.cohort.erasure.nameless_exports import remove_nameless_exports
from ptacl_core.cohort.erasure.needles import Needle, binary_needle, number_of, text_needles
from ptacl_core.cohort.erasure.notes import erase_notes
from ptacl_core.cohort.identity.aliases import forget_evidence
from ptacl_core.cohort.identity.identities import read_identifiers, remove_identities
from ptacl_core.cohort.identity.keys import CohortKey, open_key
from ptacl_core.cohort.identity.lineage import RunsOfPeople, find_runs, forget_people, read_marks
from ptacl_core.cohort.layout import CohortDescription, CohortLayout
from ptacl_core.cohort.notes.notebook import Notes
from ptacl_core.cohort.notes.readings import redact_readings
from ptacl_core.cohort.publication import current_publication, open_published, publish
from ptacl_core.cohort.writing.rebuild import rebuild_store
from ptacl_core.errors import CohortError
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.safety.files.checksum import compute_sha256
from ptacl_core.safety.files.lock import hold_lock

_VECTOR_BYTES = 32


@dataclass(frozen=True, slots=True)
class ShardErasure:
    """What the shards' code did: rows removed, and pieces of their arrays to search for."""

    num_rows: int
    needles: tuple[bytes, ...] = ()


EraseShards = Callable[[Path, Sequence[str]], ShardErasure]
"""Removes people from `<cohort>/shards` (rows of arrays and manifests), a second time too."""


@dataclass(frozen=True, slots=True)
class BeyondStore:
    """What is known of people outside the store.

    `known` are people of whom something is there all the same (a rejected file), `array_pieces`
    bytes of their arrays to search for, `identifiers` how files and people outside name them,
    `state_files` what the terminal app remembers of this cohort: removed when it names them.
    `run_stages` are the runs of the cohort with their stages.
    """

    known: frozenset[str] = frozenset()
    array_pieces: tuple[bytes, ...] = ()
    identifiers: tuple[str, ...] = ()
    state_files: tuple[Path, ...] = ()
    run_stages: Mapping[str, Sequence[str]] = field(default_factory=dict)


def erase_patients(
    layout: CohortLayout,
    patients: Sequence[str],
    *,
    erase_shards: EraseShards | None = None,
    beyond: BeyondStore | None = None,
    also_search: Sequence[Path] = (),
    progress: ProgressSink = SILENT,
) -> Certificate:
    """Take people out of a cohort directory and prove it.

    `erase_shards` removes their arrays and is required when they have any; `beyond` is what is
    known of them outside the store; `also_search` are files and folders outside the cohort
    that must not name them either. An erasure that was interrupted is finished by the next one,
    which may have no people of its own. Raises CohortError when a person is not known,
    CohortLockedError when another process writes; `is_complete` of the certificate is False when
    a trace was found or something could not be searched.
    """
    if any(not person.strip() for person in patients):
        raise CohortError("expected the pseudonyms of people to erase, got empty text")
    with hold_lock(layout.writer_lock, purpose="erase"):
        journal = read_journal(layout)
        if not patients and journal.is_empty:
            raise CohortError("expected the pseudonyms of people to erase, got none")
        beyond = beyond or BeyondStore()
        people = sorted({*patients, *journal.patients})
        facts = _gather(layout, people, beyond, was_started=not journal.is_empty)
        if facts.num_shard_rows and erase_shards is None:
            raise CohortError(
                f"{layout.shards}: {facts.num_shard_rows} arrays of these people are there, and no "
                "code to remove them was given (erase_shards)"
            )
        key = open_key(layout, create=True)
        existing = {**dict.fromkeys(facts.runs, ()), **beyond.run_stages}
        runs = find_runs(layout, key=key, people=people, existing=existing)
        journal.add_people(people, [*facts.identifiers, *beyond.identifiers])
        journal.add_needles([*facts.vectors, *beyond.array_pieces])
        journal.trained_runs = sorted({*journal.trained_runs, *runs.trained})
        journal.unknown_runs = sorted(
            {*journal.unknown_runs, *runs.unknown} - set(journal.trained_runs)
        )
        journal.write(layout)
        _remove_everywhere(layout, journal, key, erase_shards, beyond, progress)
        searched = _search(layout, journal, [*also_search, *beyond.state_files], progress)
        tombstones = [key.tombstone(person) for person in journal.patients]
        certificate = certify(layout, journal, tombstones, searched)
        _note_certificate(layout, certificate)
        remove_journal(layout)
        return certificate


def _remove_everywhere(
    layout: CohortLayout,
    journal: Journal,
    key: CohortKey,
    erase_shards: EraseShards | None,
    beyond: BeyondStore,
    progress: ProgressSink,
) -> None:
    """Every place in turn; the journal counts what each has lost, whoever finishes it."""
    people = journal.patients
    if erase_shards is not None:
        progress.say("erasing: the arrays")
        shards = erase_shards(layout.root, people)
        journal.removed_shard_rows += shards.num_rows
        journal.add_needles(shards.needles)
        journal.write(layout)
    forget_evidence(layout.shards, key, people)
    runs = RunsOfPeople(tuple(journal.trained_runs), tuple(journal.unknown_runs))
    forget_people(layout, key=key, people=people, runs=runs)
    # before the store is made anew: it knows which values are theirs
    nameless = remove_nameless_exports(layout, people)
    journal.cleaned_files += [[export.file, export.action] for export in nameless]
    progress.say("erasing: the store is made anew")
    tombstones = [key.tombstone(person) for person in people]
    touched = (*journal.trained_runs, *journal.unknown_runs)
    removed = _rebuild(layout, people, tombstones, fitted_with_them=touched)
    journal.add_removed(removed, into=journal.removed_rows)
    journal.write(layout)
    cleaned = clean_derived_files(layout, people, journal.identifiers, runs=touched)
    cleaned += remove_naming_files(beyond.state_files, [*people, *journal.identifiers])
    journal.cleaned_files += [[cleaned_file.file, cleaned_file.action] for cleaned_file in cleaned]
    for cache in (layout.index, layout.features):
        if cache.exists():
            shutil.rmtree(cache)
    remove_identities(layout, people)
    noted = erase_notes(layout, people, tombstones=tombstones)
    redacted = redact_readings(CohortDescription.read(layout).cohort_id, people)
    if redacted:
        noted = {**noted, "own_log_redacted": redacted}
    journal.add_removed(noted, into=journal.removed_notes)
    journal.write(layout)


def _note_certificate(layout: CohortLayout, certificate: Certificate) -> None:
    """The audit log says which certificates there must be."""
    notes = Notes(layout, CohortDescription.read(layout).cohort_id)
    notes.append_audit(
        "certificate", file=certificate.path.name, sha256=compute_sha256(certificate.path)
    )


@dataclass(frozen=True, slots=True)
class _Facts:
    num_shard_rows: int
    runs: tuple[str, ...]
    identifiers: list[str]
    vectors: list[bytes]


def _gather(
    layout: CohortLayout, people: list[str], beyond: BeyondStore, *, was_started: bool
) -> _Facts:
    with open_published(layout) as file:
        connection = connect_reader(descriptor_path(file.fileno()), label=layout.store)
        try:
            with readable_errors(layout.store):
                known = {
                    row[0]
                    for row in execute(
                        connection,
                        "SELECT DISTINCT patient FROM (SELECT patient FROM overview "
                        "UNION ALL SELECT patient FROM splits UNION ALL SELECT patient FROM "
                        "predictions) WHERE list_contains(?::VARCHAR[], patient)",
                        [people],
                    )
                }
                known |= beyond.known & set(people)
                if not was_started and len(known) < len(people):
                    raise CohortError(
                        f"{len(people) - len(known)} of {len(people)} people are not in this "
                        "cohort (or were erased before); nothing was changed"
                    )
                num_shard_rows = execute(
                    connection,
                    "SELECT count(*) FROM shards WHERE list_contains(?::VARCHAR[], patient)",
                    [people],
                )[0][0]
                runs = execute(connection, "SELECT run FROM runs")
                vectors = _vector_bytes(connection, people)
        finally:
            connection.close()
    return _Facts(
        num_shard_rows=int(num_shard_rows),
        runs=tuple(str(row[0]) for row in runs),
        identifiers=list(read_identifiers(layout, people).values()),
        vectors=vectors,
    )


def _vector_bytes(connection: Any, people: list[str]) -> list[bytes]:
    import numpy as np

    pieces = []
    for (dim,) in execute(connection, "SELECT DISTINCT dim FROM embedding_sets"):
        rows = execute(
            connection,
            f"SELECT vector FROM embeddings_{int(dim)} "  # noqa: S608 - a number
            "WHERE list_contains(?::VARCHAR[], patient)",
            [people],
        )
        pieces.extend(np.asarray(row[0], np.float32).tobytes()[:_VECTOR_BYTES] for row in rows)
    return [piece for piece in pieces if len(piece) >= 16 and len(set(piece)) > 4]


def _rebuild(
    layout: CohortLayout,
    people: list[str],
    tombstones: list[str],
    *,
    fitted_with_them: Sequence[str],
) -> dict[str, int]:
    private = layout.root / f".{layout.store.name}.private"
    private_log = private.with_name(private.name + ".wal")
    version = current_publication(layout).version + 1
    try:
        private.unlink(missing_ok=True)
        private_log.unlink(missing_ok=True)
        removed = rebuild_store(
            layout.store,
            private,
            without=people,
            fitted_with_them=fitted_with_them,
            tombstones=tombstones,
            version=version,
            purpose="erase",
            marks={name: mark.num_people for name, mark in read_marks(layout).items()},
        )
        publish(layout, private, version=version)
    except OSError as error:
        raise CohortError(
            f"{layout.store}: could not be rebuilt ({error.strerror or error}); free some space, "
            "then erase again: it goes on where it stopped"
        ) from None
    finally:
        private.unlink(missing_ok=True)
        private_log.unlink(missing_ok=True)
    return removed


def _search(
    layout: CohortLayout, journal: Journal, also_search: Sequence[Path], progress: ProgressSink
) -> SearchReport:
    texts = [*journal.patients, *journal.identifiers]
    needles: list[Needle] = [needle for text in texts for needle in text_needles(text)]
    needles.extend(binary_needle(bytes.fromhex(piece)) for piece in journal.needles)
    numbers = [number for text in texts if (number := number_of(text)) is not None]
    progress.say("erasing: every byte is searched")
    return search_directories(
        [layout.root, *also_search],
        list(dict.fromkeys(needles)),
        numbers=numbers,
        skip=journal_files(layout),
        progress=progress,
    )
