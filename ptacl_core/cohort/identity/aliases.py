"""What told who a person is, sealed: so that a later delivery finds them, and nobody else does.

`shards/known.parquet` holds keyed hashes of identifiers and names and, sealed under each, the
pseudonym that they led to. Without the cohort's key and the identifier itself a row says nothing:
no identifier, pseudonym, name or date stands in the file.
"""

import hashlib
import hmac
from collections.abc import Iterable
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

    def find(self, kind: str, evidence: str) -> str | None:
        """The pseudonym that `evidence` of this `kind` led to before."""
        held = self.sealed.get(self._tag(kind, evidence))
        if held is None:
            return None
        return self._seal(kind, evidence, bytes.fromhex(held)).decode("ascii", errors="replace")

    def add(self, kind: str, evidence: str, patient: str) -> None:
        """Remember that `evidence` means `patient`; what is known already stays."""
        self.sealed.setdefault(
            self._tag(kind, evidence), self._seal(kind, evidence, patient.encode("ascii")).hex()
        )

    def has_mark(self, *parts: str) -> bool:
        """Whether a mark of these facts was left."""
        return self._tag("mark", "\0".join(parts)) in self.marks

    def add_mark(self, *parts: str) -> None:
        """Leave a mark: a keyed hash from which nothing comes back."""
        self.marks.add(self._tag("mark", "\0".join(parts)))

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
    return known


def write_known(folder: Path, known: KnownPeople, *, prefix: str) -> None:
    """Write what is known; parts of one job each write a file of their own. Raises OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: Iterable[tuple[str, str]] = sorted(
        [*known.sealed.items(), *((mark, "") for mark in known.marks)]
    )
    tags, sealed = zip(*rows, strict=True) if rows else ((), ())
    table = pa.table({"tag": pa.array(tags, pa.string()), "sealed": pa.array(sealed, pa.string())})
    with atomic_path(folder / f"{prefix}{FILE_NAME}") as temporary:
        pq.write_table(table, temporary)
