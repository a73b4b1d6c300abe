"""Keyed pseudonyms: who a person is cannot be found by trying identifiers without the key.

A plain hash of a seven-digit identifier is reversed in a second; an HMAC under a secret key is
not. The key lies outside the cohort, in the folder `PTACL_KEYS` or the user's data folder, so
that a copied cohort carries no way back.
"""

import hashlib
import hmac
import secrets
import unicodedata
from base64 import b32encode
from dataclasses import dataclass, replace
from pathlib import Path

from ptacl_core.cohort.layout import CohortDescription, CohortLayout
from ptacl_core.cohort.private_folder import KEYS_VARIABLE, keys_folder, make_private_folder
from ptacl_core.errors import CohortError
from ptacl_core.safety.files.atomic import write_text

_KEY_BYTES = 32
_PSEUDONYM_CHARACTERS = 13


@dataclass(frozen=True, slots=True, repr=False)
class CohortKey:
    """The secret of one cohort."""

    secret: bytes

    def pseudonym(self, identifier: str) -> str:
        """The pseudonym of an identifier: "p" and 65 bits; blanks around it do not count."""
        text = unicodedata.normalize("NFC", identifier).strip()
        if not text:
            raise CohortError("expected an identifier to make a pseudonym of, got empty text")
        digest = self._digest("pseudonym", text)
        return "p" + b32encode(digest).decode().lower()[:_PSEUDONYM_CHARACTERS]

    def tombstone(self, pseudonym: str) -> str:
        """What remains of an erased pseudonym: enough to recognise it, not to tell it."""
        return self._digest("tombstone", pseudonym).hex()

    def file_hash(self, file_sha256: str) -> str:
        """What names a source file where people ask: tells no file without the key."""
        return self._digest("file", file_sha256).hex()

    @property
    def fingerprint(self) -> str:
        """Tells which key it is, without telling the key; `cohort.toml` carries it."""
        return self._digest("fingerprint", "").hex()[:16]

    def _digest(self, purpose: str, text: str) -> bytes:
        return hmac.new(self.secret, f"{purpose}\0{text}".encode(), hashlib.sha256).digest()


def key_file(cohort_id: str) -> Path:
    """The file of a cohort's key."""
    return keys_folder() / f"{cohort_id}.key"


def open_key(layout: CohortLayout, *, create: bool = False) -> CohortKey:
    """The key of a cohort; with `create`, a new one when the cohort has none yet.

    Raises CohortError when the key file is missing, unreadable, or of another cohort.
    """
    description = CohortDescription.read(layout)
    file = key_file(description.cohort_id)
    if description.key_fingerprint is None and not file.exists():
        if not create:
            raise CohortError(f"{layout.root}: this cohort has no key yet; an import makes one")
        make_private_folder(file.parent)
        write_text(file, secrets.token_bytes(_KEY_BYTES).hex() + "\n")
    key = _read_key(file, layout)
    if description.key_fingerprint is None:
        replace(description, key_fingerprint=key.fingerprint).write(layout)
    elif description.key_fingerprint != key.fingerprint:
        raise CohortError(
            f"{file}: expected the key {description.key_fingerprint} of {layout.root.name}, got "
            f"{key.fingerprint}; put the right key file there, or set {KEYS_VARIABLE} to its folder"
        )
    return key


def make_key(file: Path) -> None:
    """Write a new key to `file` where there is none yet: the key of parts that are made apart."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_text(file, secrets.token_bytes(_KEY_BYTES).hex() + "\n", mode=0o600)


def supply_key(layout: CohortLayout, file: Path) -> CohortKey:
    """Give a cohort the key in `file`, so that cohorts made apart have the same pseudonyms.

    Raises CohortError when the file is not a key, or the cohort has another key already.
    """
    description = CohortDescription.read(layout)
    supplied = _read_key(file, layout)
    own = key_file(description.cohort_id)
    known = description.key_fingerprint
    if known is None and own.exists():
        known = _read_key(own, layout).fingerprint
    if known not in (None, supplied.fingerprint):
        raise CohortError(
            f"{file}: its key is {supplied.fingerprint}, {layout.root.name} has the key {known} "
            "already; make the cohort anew with the key that its other parts have"
        )
    if not own.exists():
        make_private_folder(own.parent)
        write_text(own, supplied.secret.hex() + "\n")
    return open_key(layout)


def find_key(layout: CohortLayout, *, create: bool = False) -> CohortKey | None:
    """The key of a cohort, or None where it is not on this machine.

    With `create`, a cohort that never had a key gets one. Raises CohortError for a key file
    that is damaged or of another cohort.
    """
    description = CohortDescription.read(layout)
    if not key_file(description.cohort_id).exists():
        is_new = description.key_fingerprint is None
        if not (create and is_new):
            return None
    return open_key(layout, create=create)


def _read_key(file: Path, layout: CohortLayout) -> CohortKey:
    try:
        secret = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        raise CohortError(
            f"{file}: expected the key of {layout.root.name}, found no file; copy it from where "
            f"the cohort was made, or set {KEYS_VARIABLE} to its folder"
        ) from None
    except (OSError, ValueError) as error:
        raise CohortError(
            f"{file}: cannot be read as a key ({type(error).__name__}); restore it from a copy"
        ) from None
    if len(secret) != _KEY_BYTES:
        raise CohortError(f"{file}: expected a key of {_KEY_BYTES} bytes, got {len(secret)}")
    return CohortKey(secret)
