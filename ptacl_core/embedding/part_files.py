"""One part of a cohort's features as a Parquet file, for jobs that embed side by side.

A line per visit: pseudonym, manifest row and the vectors of what the visit has. The file says
of which run's weights, of which cohort and of how many parts it is; it is written whole or
not at all, so that a job can be repeated at any time.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ptacl_core.arrays import Array, Int64
from ptacl_core.embedding.cohort_features import CohortFeatures
from ptacl_core.embedding.encoding import Features
from ptacl_core.errors import CohortError, ConfigError
from ptacl_core.safety.files.atomic import atomic_path

if TYPE_CHECKING:
    import pyarrow as pa

KIND = "ptacl-embedding-part"
VERSION = "1"
MAX_PARTS = 9999
_IDENTIFYING = ("patient", "visit", "shard", "ecg_row", "cine_row", "ecg_sha256", "cmr_sha256")
_VECTORS = ("ecg_pooled", "ecg_projected", "cmr_pooled", "cmr_projected", "similarity")


@dataclass(frozen=True, slots=True)
class Part:
    """Part `index` (from 1) of `count`."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "i/n". Raises ConfigError."""
        match = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text.strip())
        if match is None or not 1 <= int(match[1]) <= int(match[2]) <= MAX_PARTS:
            raise ConfigError(
                f"--shard: expected i/n with 1 ≤ i ≤ n ≤ {MAX_PARTS}, such as 1/4, got {text!r}"
            )
        return cls(int(match[1]), int(match[2]))

    def take(self, num_items: int) -> range:
        """This part's share of `num_items` items: contiguous, sizes differ by at most one."""
        first = num_items * (self.index - 1) // self.count
        return range(first, num_items * self.index // self.count)

    @property
    def file_name(self) -> str:
        """Name of the part's file."""
        return f"part-{self.index:04d}-of-{self.count:04d}.parquet"


@dataclass(frozen=True, slots=True)
class PartOrigin:
    """What all parts of one embedding must agree on."""

    run: str
    checkpoint_sha256: str
    cohort_sha256: str
    """Hash of the patients, visits and recordings in the order of the manifest."""


def hash_cohort(table: "pa.Table") -> str:
    """The `cohort_sha256` of a shard manifest."""
    digest = hashlib.sha256()
    columns = [table.column(name).to_pylist() for name in _IDENTIFYING]
    for line in zip(*columns, strict=True):
        digest.update("\x1f".join(map(str, line)).encode() + b"\n")
    return digest.hexdigest()


def save_part(
    path: Path, features: CohortFeatures, origin: PartOrigin, patients: list[str]
) -> None:
    """Write `features`; `patients` are the pseudonyms of all manifest rows. Raises OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = np.union1d(features.ecg_rows, features.cmr_rows)
    similarity = [pair.ravel() for pair in features.similarity]
    table = pa.table(
        {
            "patient": pa.array([patients[row] for row in rows], pa.string()),
            "row": pa.array(rows, pa.int64()),
            **{
                name: _spread(rows, held, vectors)
                for name, held, vectors in zip(
                    _VECTORS,
                    (features.ecg_rows,) * 2 + (features.cmr_rows,) * 2 + (features.pair_rows,),
                    (
                        features.ecg.pooled, features.ecg.projected,
                        features.cmr.pooled, features.cmr.projected, similarity,
                    ),
                    strict=True,
                )
            },
            "has_beat": _spread_flags(rows, features.ecg_rows, features.ecg.is_step_valid),
        }
    )  # fmt: skip
    facts = {
        "kind": KIND,
        "version": VERSION,
        "ecg_dims": _format_dims(features.ecg),
        "cmr_dims": _format_dims(features.cmr),
        "steps": "x".join(map(str, features.similarity.shape[1:])),
        **asdict(origin),
    }
    with atomic_path(path) as temporary:
        pq.write_table(table.replace_schema_metadata(facts), temporary, write_page_checksum=True)


def load_part(path: Path, origin: PartOrigin) -> CohortFeatures:
    """Read what `save_part` wrote.

    Raises CohortError for a file that is damaged, or of another run, checkpoint or cohort.
    """
    table, facts = _read_table(path)
    for name, expected in {"kind": KIND, "version": VERSION, **asdict(origin)}.items():
        if facts.get(name) != expected:
            raise CohortError(
                f"{path.name}: made for another {name.removesuffix('_sha256')} "
                f"({facts.get(name, 'none')[:40]}, expected {expected[:40]})"
            )
    rows = table.column("row").to_numpy()
    ecg_dims, cmr_dims = _parse_dims(facts["ecg_dims"]), _parse_dims(facts["cmr_dims"])
    steps = _parse_dims(facts["steps"])
    widths = (*ecg_dims, *cmr_dims, int(np.prod(steps)))
    held, vectors = zip(
        *(_gather(table.column(name), width) for name, width in zip(_VECTORS, widths, strict=True)),
        strict=True,
    )
    has_beat = table.column("has_beat").fill_null(False).to_numpy()
    return CohortFeatures(
        ecg_rows=rows[held[0]],
        ecg=Features(vectors[0], vectors[1], None, has_beat[held[0]]),
        cmr_rows=rows[held[2]],
        cmr=Features(vectors[2], vectors[3], None, np.ones(int(held[2].sum()), bool)),
        pair_rows=rows[held[4]],
        similarity=vectors[4].reshape(len(vectors[4]), *steps),
    )


def _read_table(path: Path) -> "tuple[pa.Table, dict[str, str]]":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, page_checksum_verification=True)
        metadata = table.schema.metadata or {}
        facts = {key.decode(): value.decode() for key, value in metadata.items()}
    except (OSError, ValueError, pa.ArrowException) as error:
        raise CohortError(f"{path.name}: cannot be read ({type(error).__name__})") from None
    missing = [name for name in ("row", "has_beat", *_VECTORS) if name not in table.column_names]
    if missing or not {"ecg_dims", "cmr_dims", "steps"} <= set(facts):
        raise CohortError(f"{path.name}: is not part of an embedding")
    return table, facts


def _spread(
    rows: Int64[Array, " row"], held: Int64[Array, " _"], vectors: Iterable[Array] | None
) -> Any:
    """A list column with a vector in the lines of `held` and null elsewhere."""
    import pyarrow as pa

    lines: list[Array | None] = [None] * len(rows)
    if vectors is not None:
        for place, vector in zip(np.searchsorted(rows, held), vectors, strict=True):
            lines[place] = vector
    return pa.array(lines, pa.list_(pa.float32()))


def _spread_flags(rows: Int64[Array, " row"], held: Int64[Array, " _"], flags: Array) -> Any:
    import pyarrow as pa

    lines: list[bool | None] = [None] * len(rows)
    for place, flag in zip(np.searchsorted(rows, held), flags, strict=True):
        lines[place] = bool(flag)
    return pa.array(lines, pa.bool_())


def _gather(column: Any, width: int) -> tuple[Array, Array]:
    """Which lines of a list column hold a vector, and the vectors."""
    is_held = column.is_valid().to_numpy()
    values = column.drop_null().combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return is_held, values.reshape(int(is_held.sum()), width).astype(np.float32, copy=False)


def _format_dims(features: Features) -> str:
    projected = 0 if features.projected is None else features.projected.shape[1]
    return f"{features.pooled.shape[1]}x{projected}"


def _parse_dims(text: str) -> tuple[int, int]:
    first, second = text.split("x")
    return int(first), int(second)
