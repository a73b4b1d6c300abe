"""The audit log: every entry carries the hash of the one before it.

An entry that is changed, removed or put in between breaks the chain. So that the end of the
log cannot be cut off unseen either, its head (number and hash of the last entry) is kept
outside the cohort, as `audit_heads.py` says. Details that name an erased person are taken out
of an entry; its hash covers a salted hash of them, so that the chain still holds, and the
entry of the erasure says which entries were redacted.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ptacl_core.cohort.notes.audit_heads import AuditHead

FIRST_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry; `details` is None when it was redacted by an erasure."""

    number: int
    logged_at: datetime
    actor: str
    action: str
    details: Mapping[str, object] | None
    details_sha256: str
    previous_hash: str
    hash: str


def hash_details(details: Mapping[str, object]) -> tuple[str, str]:
    """The text of `details` with a fresh salt in it, and the SHA-256 of that text."""
    text = json.dumps({**details, "salt": secrets.token_hex(16)}, sort_keys=True, default=str)
    return text, hashlib.sha256(text.encode()).hexdigest()


def hash_entry(
    *,
    number: int,
    logged_at: datetime,
    actor: str,
    action: str,
    details_sha256: str,
    previous_hash: str,
) -> str:
    """The hash of one entry, over everything in it and the hash before it."""
    fields = [number, logged_at.isoformat(), actor, action, details_sha256, previous_hash]
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


def find_tampering(
    entries: Sequence[AuditEntry], texts: Sequence[str | None], heads: Sequence[AuditHead]
) -> list[str]:
    """What is wrong with a log, in words; empty when it is whole.

    `texts` are the stored details of the entries, None where redacted; of `heads` (where
    there are any) the log has to hold one.
    """
    faults = []
    previous, expected_number = FIRST_HASH, 1
    for entry, text in zip(entries, texts, strict=True):
        if entry.number != expected_number:
            faults.append(f"entry {expected_number} is missing; {entry.number} follows")
        computed = hash_entry(
            number=entry.number,
            logged_at=entry.logged_at,
            actor=entry.actor,
            action=entry.action,
            details_sha256=entry.details_sha256,
            previous_hash=entry.previous_hash,
        )
        if entry.previous_hash != previous or entry.hash != computed:
            faults.append(f"entry {entry.number} was changed, or something before it")
        if text is not None and hashlib.sha256(text.encode()).hexdigest() != entry.details_sha256:
            faults.append(f"entry {entry.number}: its details were changed")
        previous, expected_number = entry.hash, entry.number + 1
    faults.extend(_find_unexplained_redactions(entries))
    written = {(entry.number, entry.hash) for entry in entries}
    if heads and not any(head.number == 0 or (head.number, head.hash) in written for head in heads):
        faults.append(
            f"entry {max(head.number for head in heads)} was seen before and is missing or "
            "another one: the end of the log was cut off or replaced"
        )
    return faults


def _find_unexplained_redactions(entries: Sequence[AuditEntry]) -> list[str]:
    explained: set[int] = set()
    for entry in entries:
        if entry.action == "erase" and entry.details is not None:
            redacted = entry.details.get("redacted_entries", ())
            explained.update(redacted if isinstance(redacted, list) else ())
    return [
        f"entry {entry.number}: its details were removed, and no erasure says so"
        for entry in entries
        if entry.details is None and entry.number not in explained
    ]
