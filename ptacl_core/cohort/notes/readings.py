"""The audit of a reader: what this user asked of a cohort, in their own data folder.

A reader takes no lock in a cohort and writes nothing there: it may be on a read-only disk, or
another person's. Their log is chained as the cohort's own (`audit.py`), one JSON line an entry.
"""

import getpass
import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, TypedDict

from ptacl_core.cohort.layout import CohortDescription
from ptacl_core.cohort.notes import audit
from ptacl_core.cohort.private_folder import user_data_folder
from ptacl_core.errors import CohortError
from ptacl_core.safety.files.atomic import write_text
from ptacl_core.safety.files.lock import wait_for_lock


class ReadingEntry(TypedDict):
    """One line of the log; `details` are the text that was hashed, None where redacted."""

    number: int
    logged_at: str
    actor: str
    action: str
    details: str | None
    details_sha256: str
    previous_hash: str
    hash: str


def reading_log(cohort_id: str) -> Path:
    """Where this user's log of a cohort lies."""
    return user_data_folder() / "audit" / f"{cohort_id}.jsonl"


def log_reading(description: CohortDescription, action: str, **details: Any) -> None:
    """Add what this user does to their log of the cohort. Raises CohortError."""
    file = reading_log(description.cohort_id)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with wait_for_lock(file.with_suffix(".lock"), purpose="audit"):
            with file.open("a+b") as stream:
                last = _read_last(stream)
                entry = _build(last, action, details)
                stream.seek(0, os.SEEK_END)
                stream.write(json.dumps(entry).encode() + b"\n")
            file.chmod(0o600)
    except OSError as error:
        raise CohortError(
            f"{file}: the log of what you ask cannot be kept there ({error.strerror or error}); "
            "set XDG_DATA_HOME to a folder that you can write to"
        ) from None


def find_reading_faults(cohort_id: str) -> list[str]:
    """What is wrong with this user's log, in words; empty when it is whole, or there is none.

    Raises CohortError when it cannot be read.
    """
    pairs = _read(cohort_id)
    entries, texts = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    redacted = {entry.number for entry in entries if entry.details is None}
    faults = audit.find_tampering(entries, texts, ())
    return [fault for fault in faults if not any(f"entry {n}:" in fault for n in redacted)]


def redact_readings(cohort_id: str, people: Sequence[str]) -> int:
    """Take the details of entries that name any of `people` out; returns how many those were."""
    file = reading_log(cohort_id)
    if not file.exists() or not people:
        return 0
    names = "|".join(re.escape(person) for person in sorted(people, key=len, reverse=True))
    mention = re.compile(rf"(?<![A-Za-z0-9])(?:{names})(?![A-Za-z0-9])")
    with wait_for_lock(file.with_suffix(".lock"), purpose="audit"):
        lines, num_redacted = [], 0
        for line in file.read_text(encoding="utf-8").splitlines():
            is_named = mention.search(line) is not None
            num_redacted += is_named
            redacted = json.dumps({**json.loads(line), "details": None}) if is_named else line
            lines.append(redacted)
        if num_redacted:
            write_text(file, "\n".join(lines) + "\n")
    return num_redacted


def _build(last: ReadingEntry | None, action: str, details: Mapping[str, object]) -> ReadingEntry:
    number = 1 if last is None else int(last["number"]) + 1
    previous = audit.FIRST_HASH if last is None else str(last["hash"])
    text, details_sha256 = audit.hash_details(details)
    logged_at, actor = datetime.now(UTC).replace(tzinfo=None), _actor()
    digest = audit.hash_entry(
        number=number,
        logged_at=logged_at,
        actor=actor,
        action=action,
        details_sha256=details_sha256,
        previous_hash=previous,
    )
    return {
        "number": number,
        "logged_at": logged_at.isoformat(),
        "actor": actor,
        "action": action,
        "details": text,
        "details_sha256": details_sha256,
        "previous_hash": previous,
        "hash": digest,
    }


def _read_last(stream: BinaryIO) -> ReadingEntry | None:
    """The last whole line, looked for from the end on."""
    end = stream.seek(0, os.SEEK_END)
    for size in (65_536, end):
        stream.seek(max(0, end - size))
        lines = [line for line in stream.read().split(b"\n") if line]
        for line in reversed(lines):
            try:
                return json.loads(line)
            except ValueError:
                continue
    return None


def _read(cohort_id: str) -> list[tuple[audit.AuditEntry, str | None]]:
    file = reading_log(cohort_id)
    if not file.exists():
        return []
    pairs = []
    try:
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            details = json.loads(row["details"]) if row["details"] is not None else None
            if isinstance(details, dict):
                details.pop("salt", None)
            entry = audit.AuditEntry(
                number=int(row["number"]),
                logged_at=datetime.fromisoformat(row["logged_at"]),
                actor=str(row["actor"]),
                action=str(row["action"]),
                details=details,
                details_sha256=str(row["details_sha256"]),
                previous_hash=str(row["previous_hash"]),
                hash=str(row["hash"]),
            )
            pairs.append((entry, row["details"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CohortError(
            f"{file}: cannot be read as a log ({type(error).__name__}); move it away, and a new "
            "one begins"
        ) from None
    return pairs


def _actor() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
