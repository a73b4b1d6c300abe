"""A withdrawn person leaves the cohort: everything is made anew without them, then searched.

Deleting rows is not enough: the bytes stay in the file. So the store, the notes and the
identities are rebuilt, indexes are deleted (they are caches), exports and run files that name
the person are cleaned, the shards' own code removes the arrays, and the whole directory is
searched for the person's bytes. What remains is a tombstone, a keyed hash that keeps them from
coming back, and a certificate that names nobody.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptacl_core.cohort.engine import connect_reader, descriptor_path, execute, readable_errors
from ptacl_core.cohort.erasure.byte_search import (
    Needle,
    SearchReport,
    binary_needle,
    search_directories,
    text_needles,
)
from ptacl_core.cohort.erasure.certificate import Certificate, Done, certify
from ptacl_core.cohort.erasure.derived_files import (
    clean_derived_files,
    remove_naming_files,
)
from ptacl_core.cohort.identity.identities import read_identifiers, remove_identities
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.cohort.notes.erasure import erase_notes
from ptacl_core.cohort.publication import current_publication, open_published, publish
from ptacl_core.cohort.writing.rebuild import rebuild_store
from ptacl_core.errors import CohortError
from ptacl_core.safety.files.atomic import write_json
from ptacl_core.safety.files.lock import hold_lock

_VECTOR_BYTES = 32
JOURNAL_NAME = ".erasure.json"


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
    """

    known: frozenset[str] = frozenset()
    array_pieces: tuple[bytes, ...] = ()
    identifiers: tuple[str, ...] = ()
    state_files: tuple[Path, ...] = ()


def erase_patients(
    layout: CohortLayout,
    patients: Sequence[str],
    *,
    erase_shards: EraseShards | None = None,
    beyond: BeyondStore | None = None,
    also_search: Sequence[Path] = (),
) -> Certificate:
    """Take people out of a cohort directory and prove it.

    `erase_shards` removes their arrays and is required when they have any; `beyond` is what is
    known of them outside the store; `also_search` are files and folders outside the cohort
    that must not name them either. An erasure that was interrupted is finished by the next
    one. Raises CohortError when a person is not known, CohortLockedError when another process
    writes; `is_complete` of the certificate is False when a trace was found or a file could
    not be read.
    """
    people = sorted(set(patients))
    if not people or any(not person.strip() for person in people):
        raise CohortError("expected the pseudonyms of people to erase, got none (or empty text)")
    with hold_lock(layout.writer_lock, purpose="erase"):
        pending = read_journal(layout)
        people = sorted(set(people) | set(pending["patients"]))
        beyond = beyond or BeyondStore()
        facts = _gather(layout, people, beyond, was_started=bool(pending["patients"]))
        if facts.num_shard_rows and erase_shards is None:
            raise CohortError(
                f"{layout.shards}: {facts.num_shard_rows} arrays of these people are there, and no "
                "code to remove them was given (erase_shards)"
            )
        tombstones = [open_key(layout, create=True).tombstone(person) for person in people]
        needles = [bytes.fromhex(each) for each in pending["needles"]]
        needles += [*facts.vectors, *beyond.array_pieces]
        _write_journal(layout, people, needles)
        shards = ShardErasure(0)
        if erase_shards is not None:
            shards = erase_shards(layout.root, people)
            needles.extend(shards.needles)
            _write_journal(layout, people, needles)
        removed = _rebuild(layout, people, tombstones)
        cleaned = clean_derived_files(layout, people)
        cleaned += remove_naming_files(beyond.state_files, people)
        if layout.index.exists():
            shutil.rmtree(layout.index)
        remove_identities(layout, people)
        noted = erase_notes(layout, people, tombstones=tombstones)
        layout.root.joinpath(JOURNAL_NAME).unlink()
        _remove_cut_off_journals(layout)
        texts = list(dict.fromkeys([*people, *facts.identifiers, *beyond.identifiers]))
        also_search = [*also_search, *beyond.state_files]
        searched = _search(layout, texts, needles, also_search)
        done = Done(tombstones, facts.trained_runs, shards.num_rows, removed, cleaned, noted)
        return certify(layout, done, searched)


def _remove_cut_off_journals(layout: CohortLayout) -> None:
    """Journals whose writing was killed before their rename; they name people too."""
    for left_over in layout.root.glob(f".{JOURNAL_NAME}.*.tmp"):
        left_over.unlink()


def read_journal(layout: CohortLayout) -> dict[str, list[str]]:
    """People and needles of an erasure that has begun and not ended; empty lists without."""
    file = layout.root / JOURNAL_NAME
    if not file.exists():
        return {"patients": [], "needles": []}
    try:
        document: Any = json.loads(file.read_text(encoding="utf-8"))
        return {key: [str(each) for each in document[key]] for key in ("patients", "needles")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CohortError(
            f"{file}: cannot be read ({type(error).__name__}); an erasure was interrupted: erase "
            "the people again after deleting this file"
        ) from None


@dataclass(frozen=True, slots=True)
class _Facts:
    num_shard_rows: int
    trained_runs: tuple[str, ...]
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
                runs = execute(
                    connection,
                    "SELECT DISTINCT r.run FROM runs r JOIN splits s USING (split_name) "
                    "WHERE list_contains(?::VARCHAR[], s.patient) AND s.split <> 'test' "
                    "AND (s.assigned_at IS NULL OR r.created_at IS NULL "
                    "OR s.assigned_at <= r.created_at) ORDER BY r.run",
                    [people],
                )
                vectors = _vector_bytes(connection, people)
        finally:
            connection.close()
    return _Facts(
        num_shard_rows=int(num_shard_rows),
        trained_runs=tuple(row[0] for row in runs),
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


def _rebuild(layout: CohortLayout, people: list[str], tombstones: list[str]) -> dict[str, int]:
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
            tombstones=tombstones,
            version=version,
            purpose="erase",
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
    layout: CohortLayout, texts: list[str], pieces: list[bytes], also_search: Sequence[Path]
) -> SearchReport:
    needles: list[Needle] = [needle for text in texts for needle in text_needles(text)]
    needles.extend(binary_needle(piece) for piece in dict.fromkeys(pieces))
    return search_directories([layout.root, *also_search], needles)


def _write_journal(layout: CohortLayout, people: list[str], needles: list[bytes]) -> None:
    document = {"patients": people, "needles": [needle.hex() for needle in needles]}
    try:
        write_json(layout.root / JOURNAL_NAME, document)
    except OSError as error:
        raise CohortError(
            f"{layout.root}: the erasure could not be begun ({error.strerror or error})"
        ) from None
