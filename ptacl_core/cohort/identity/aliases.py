"""What told who a person is, sealed: so that a later delivery finds them, and nobody else does.

`shards/known.parquet` holds keyed hashes of identifiers and names and, sealed under each, the
pseudonym that they led to. Without the cohort's key and the identifier itself a row says nothing:
no identifier, pseudonym, name or date stands in the file. Each row carries a keyed hash of whom it
is about, so that the rows of a person who is erased can be found and go.
"""

import hashlib
import hmac
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ptacl_core.cohort.identity.keys import CohortKey
from ptacl_core.errors import CohortError
from ptacl_core.safety.files.atomic import atomic_path

FILE_NAME = "known.parquet"
_TAG_BYTES = 16


@dataclass(slots=True)
class KnownPeople:
    """Sealed evidence of a cohort, and marks of files that have been dealt with."""

    key: CohortKey
    sealed: dict[str, str] = field(default_factory=dict)
    marks: set[str] = field(default_factory=set)
    owners: dict[str, str] = field(default_factory=dict)

    def find(self, kind: str, evidence: str) -> str | None:
        """The pseudonym that `evidence` of this `kind` led to before."""
        held = self.sealed.get(self._tag(kind, evidence))
        if held is None:
            return None
        return self._seal(kind, evidence, bytes.fromhex(held)).decode("ascii", errors="replace")

    def add(self, kind: str, evidence: str, meaning: str, *, owner: str | None = None) -> None:
        """Remember what `evidence` means; what is known already stays.

        `meaning` is a pseudonym, or else `owner` says whom it is about.
        """
        tag = self._tag(kind, evidence)
        self.sealed.setdefault(tag, self._seal(kind, evidence, meaning.encode("ascii")).hex())
        self.owners.setdefault(tag, self._own(owner or meaning))

    def has_mark(self, *parts: str) -> bool:
        """Whether a mark of these facts was left."""
        return self._tag("mark", "\0".join(parts)) in self.marks

    def add_mark(self, *parts: str, owner: str) -> None:
        """Leave a mark about `owner`: a keyed hash from which nothing comes back."""
        tag = self._tag("mark", "\0".join(parts))
        self.marks.add(tag)
        self.owners.setdefault(tag, self._own(owner))

    def forget(self, patients: Collection[str], *, with_untold: bool = False) -> int:
        """Drop what is about `patients`; how many rows.

        With `with_untold`, rows of older versions that do not tell whom they are about go too.
        """
        gone = {*map(self._own, patients), *([""] if with_untold else [])}
        tags = {tag for tag in (*self.sealed, *self.marks) if self.owners.get(tag, "") in gone}
        self.sealed = {tag: text for tag, text in self.sealed.items() if tag not in tags}
        self.marks -= tags
        return len(tags)

    def _own(self, patient: str) -> str:
        return self._tag("owner", patient)

    def _tag(self, kind: str, evidence: str) -> str:
        return self._hash("known", kind, evidence)[:_TAG_BYTES].hex()

    def _seal(self, kind: str, evidence: str, text: bytes) -> bytes:
        stream = self._hash("sealed", kind, evidence)
        if len(text) > len(stream):
            raise CohortError(f"a pseudonym has at most {len(stream)} characters")
        return bytes(a ^ b for a, b in zip(text, stream, strict=False))

    def _hash(self, *parts: str) -> bytes:
        message = "\0".join(parts).encode()
        return hmac.new(self.key.secret, message, hashlib.sha256).digest()


def read_known(folder: Path, key: CohortKey) -> KnownPeople:
    """What is known in the cohort whose shards lie in `folder`. Raises CohortError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    known = KnownPeople(key)
    for path in sorted(folder.glob(f"*{FILE_NAME}")):
        try:
            rows = pq.read_table(path, memory_map=False).to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise CohortError(
                f"{path.name}: cannot be read ({type(error).__name__}); remove it, and give all "
                "sources again so that people are told by their files alone"
            ) from None
        for row in rows:
            if row["sealed"]:
                known.sealed.setdefault(row["tag"], row["sealed"])
            else:
                known.marks.add(row["tag"])
            known.owners.setdefault(row["tag"], row.get("owner") or "")
    return known


def forget_evidence(folder: Path, key: CohortKey, patients: Collection[str]) -> int:
    """Take `patients` out of every file of what is known; how many rows went.

    They are put into one file. Raises CohortError, OSError.
    """
    files = sorted(folder.glob(f"*{FILE_NAME}"))
    if not files:
        return 0
    known = read_known(folder, key)
    num_gone = known.forget(patients, with_untold=True)
    if num_gone:
        write_known(folder, known, prefix=files[0].name.removesuffix(FILE_NAME))
        for file in files[1:]:
            file.unlink()
    return num_gone


def write_known(folder: Path, known: KnownPeople, *, prefix: str) -> None:
    """Write what is known; parts of one job each write a file of their own. Raises OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: Iterable[tuple[str, str]] = sorted(
        [*known.sealed.items(), *((mark, "") for mark in known.marks)]
    )
    tags, sealed = zip(*rows, strict=True) if rows else ((), ())
    columns = {"tag": tags, "sealed": sealed, "owner": [known.owners.get(tag) for tag in tags]}
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    with atomic_path(folder / f"{prefix}{FILE_NAME}") as temporary:
        pq.write_table(table, temporary)
