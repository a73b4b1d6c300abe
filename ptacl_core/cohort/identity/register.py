"""The standing register of withdrawn people: keyed hashes of identifiers and of recordings.

It lies in the cohort (`withdrawn.json`, mode 0600) and, where a person asked for it, beside the
key, where every cohort of that key finds it. It names nobody: without the key it cannot be told
who is on it, and whoever has the key can only ask about an identifier that they know already.
"""

import hmac
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ptacl_core.cohort.identity.keys import CohortKey
from ptacl_core.cohort.identity.spellings import canonical_identifier
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.cohort.private_folder import keys_folder, make_private_folder
from ptacl_core.errors import CohortError
from ptacl_core.safety.files.atomic import write_json
from ptacl_core.safety.files.checksum import compute_sha256

KIND = "ptacl-withdrawal-register"
VERSION = 1
FILE_NAME = "withdrawn.json"


@dataclass(frozen=True, slots=True)
class RegisterEntry:
    """One withdrawn person: when they came on the register, and whether a cohort held them."""

    withdrawn_on: str
    was_member: bool


@dataclass(frozen=True, slots=True)
class WithdrawalRegister:
    """Who is on it, by keyed hash; `recordings` are keyed hashes of source files' SHA-256."""

    people: Mapping[str, RegisterEntry] = field(default_factory=dict)
    recordings: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """True when nobody is on it."""
        return not self.people and not self.recordings

    def including(
        self, people: Mapping[str, bool], recordings: Iterable[str] = ()
    ) -> "WithdrawalRegister":
        """The same with more people (hash to "was a member") and recordings on it."""
        today = datetime.now(UTC).date().isoformat()
        merged = dict(self.people)
        for person, was_member in people.items():
            known = merged.get(person)
            merged[person] = RegisterEntry(
                today if known is None else known.withdrawn_on,
                was_member or (known is not None and known.was_member),
            )
        return WithdrawalRegister(merged, self.recordings | frozenset(recordings))


class WithdrawnPeople:
    """Answers whether a person or a recording is withdrawn; needs the cohort's key."""

    def __init__(self, register: WithdrawalRegister, key: CohortKey) -> None:
        self._register = register
        self._key = key

    def holds_identifier(self, identifier: str) -> bool:
        """True when the person with this identifier, in whatever spelling, is on the register."""
        return hash_person(self._key, identifier) in self._register.people

    def holds_recording(self, file_sha256: str | None) -> bool:
        """True when a recording of these bytes belonged to a withdrawn person."""
        if not file_sha256:
            return False
        return hash_recording(self._key, file_sha256) in self._register.recordings


def open_register(layout: CohortLayout, key: CohortKey) -> WithdrawnPeople:
    """The register of a cohort and of its key, ready to be asked. Raises CohortError."""
    return WithdrawnPeople(read_register(layout, key_fingerprint=key.fingerprint), key)


def hash_person(key: CohortKey, identifier: str) -> str:
    """The register's name of a person, the same for all spellings of an identifier."""
    return _digest(key, "withdrawn person", canonical_identifier(identifier))


def hash_recording(key: CohortKey, file_sha256: str) -> str:
    """The register's name of a source file, from the SHA-256 of its bytes."""
    return _digest(key, "withdrawn recording", file_sha256)


def read_register(layout: CohortLayout, *, key_fingerprint: str | None) -> WithdrawalRegister:
    """The cohort's register and the one beside its key, as one; empty when there is none.

    Raises CohortError when a register is damaged.
    """
    register = _read(register_file(layout))
    if key_fingerprint is not None:
        shared = _read(shared_register_file(key_fingerprint))
        register = register.including({}, shared.recordings)
        register = WithdrawalRegister({**shared.people, **register.people}, register.recordings)
    return register


def write_register(
    layout: CohortLayout, register: WithdrawalRegister, key: CohortKey, *, is_shared: bool = False
) -> str:
    """Write the cohort's register (`is_shared`: that of the key too); returns its SHA-256.

    Raises CohortError when it cannot be written.
    """
    files = [register_file(layout)]
    if is_shared:
        files.append(shared_register_file(key.fingerprint))
    document = {
        "kind": KIND,
        "version": VERSION,
        "key_fingerprint": key.fingerprint,
        "people": {
            person: {"withdrawn_on": entry.withdrawn_on, "was_member": entry.was_member}
            for person, entry in sorted(register.people.items())
        },
        "recordings": sorted(register.recordings),
    }
    for file in files:
        try:
            if file.parent == keys_folder():
                make_private_folder(file.parent)
            write_json(file, document, mode=0o600)
        except OSError as error:
            raise CohortError(
                f"{file}: the register of withdrawn people could not be written "
                f"({error.strerror or error}); free some space, then run the same command again"
            ) from None
    return compute_sha256(files[0])


def is_written_beside_key(register: WithdrawalRegister, key: CohortKey) -> bool:
    """Whether the register beside the key holds everybody of `register`."""
    shared = _read(shared_register_file(key.fingerprint))
    return register.people.keys() <= shared.people.keys() and (
        register.recordings <= shared.recordings
    )


def register_file(layout: CohortLayout) -> Path:
    """Where the register of one cohort lies."""
    return layout.root / FILE_NAME


def is_register_closed(layout: CohortLayout) -> bool:
    """Whether there is a register that this user may not read: its owner's alone."""
    file = register_file(layout)
    return file.exists() and not os.access(file, os.R_OK)


def shared_register_file(key_fingerprint: str) -> Path:
    """Where the register for all cohorts of a key lies: beside the key."""
    return keys_folder() / f"{key_fingerprint}.{FILE_NAME}"


def _read(file: Path) -> WithdrawalRegister:
    try:
        document: Any = json.loads(file.read_text(encoding="utf-8"))
        if document["kind"] != KIND or document["version"] != VERSION:
            raise CohortError(
                f"{file}: expected {KIND} version {VERSION}, got {document['kind']!r} version "
                f"{document['version']!r}; use the version of PTACL that wrote it"
            )
        return WithdrawalRegister(
            {
                str(person): RegisterEntry(str(entry["withdrawn_on"]), bool(entry["was_member"]))
                for person, entry in document["people"].items()
            },
            frozenset(str(entry) for entry in document["recordings"]),
        )
    except FileNotFoundError:
        return WithdrawalRegister()
    except PermissionError:
        raise CohortError(
            f"{file}: the register of withdrawn people is open to the cohort's owner alone, so it "
            "cannot be told here who withdrew"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CohortError(
            f"{file}: cannot be read as the register of withdrawn people "
            f"({type(error).__name__}); restore it from a copy, then run `ptacl withdraw` with the "
            "lists of those who withdrew since"
        ) from None


def _digest(key: CohortKey, purpose: str, text: str) -> str:
    return hmac.digest(key.secret, f"{purpose}\0{text}".encode(), "sha256").hex()
