"""Where everything of a cohort lies, and `cohort.toml`, which says what it is."""

import re
import tomllib
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ptacl_core.errors import CohortError, CohortVersionError
from ptacl_core.json_values import JsonObject
from ptacl_core.safety.files.atomic import write_text

KIND = "ptacl-cohort"
LAYOUT_VERSION = 1

Source = Literal["simulated", "files"]


@dataclass(frozen=True, slots=True)
class CohortLayout:
    """The paths of one cohort directory."""

    root: Path

    @property
    def description(self) -> Path:
        """`cohort.toml`."""
        return self.root / "cohort.toml"

    @property
    def store(self) -> Path:
        """`cohort.duckdb`, the published store."""
        return self.root / "cohort.duckdb"

    @property
    def manifest(self) -> Path:
        """`manifest.json`, size, hash and version of the published store."""
        return self.root / "manifest.json"

    @property
    def notes(self) -> Path:
        """`notes.duckdb`, what people write."""
        return self.root / "notes.duckdb"

    @property
    def identities(self) -> Path:
        """`identities.duckdb`, pseudonym to identifier, only when asked for."""
        return self.root / "identities.duckdb"

    @property
    def shards(self) -> Path:
        """The folder of training-ready arrays."""
        return self.root / "shards"

    @property
    def runs(self) -> Path:
        """The folder of training runs."""
        return self.root / "runs"

    @property
    def index(self) -> Path:
        """The folder of neighbour indexes, a cache."""
        return self.root / "index"

    @property
    def features(self) -> Path:
        """The folder of what runs' encoders say of recordings, a cache; no names stand in it."""
        return self.root / "features"

    @property
    def exports(self) -> Path:
        """The only folder that queries may write to."""
        return self.root / "exports"

    @property
    def erasures(self) -> Path:
        """The folder of erasure certificates."""
        return self.root / "erasures"

    @property
    def writer_lock(self) -> Path:
        """The lock that one writer at a time holds."""
        return self.root / ".writer.lock"

    @property
    def index_lock(self) -> Path:
        """The lock that one builder of an index at a time holds."""
        return self.index / ".lock"

    @property
    def notes_lock(self) -> Path:
        """The lock around every use of `notes.duckdb`."""
        return self.root / ".notes.lock"


def list_secret_files(layout: CohortLayout) -> tuple[Path, ...]:
    """Files that are their owner's alone, however the cohort is shared."""
    names = ("identities.duckdb", "lineage.duckdb", "withdrawn.json", ".erasure.json")
    return tuple(layout.root / name for name in names)


@dataclass(frozen=True, slots=True)
class CohortDescription:
    """What `cohort.toml` says."""

    name: str
    source: Source
    preprocessing_hash: str
    cohort_id: str
    version: int = LAYOUT_VERSION
    key_fingerprint: str | None = None

    def write(self, layout: CohortLayout) -> None:
        """Write `cohort.toml` atomically. Raises OSError."""
        fields: list[tuple[str, str | int | None]] = [
            ("kind", KIND),
            ("version", self.version),
            ("name", self.name),
            ("cohort_id", self.cohort_id),
            ("source", self.source),
            ("preprocessing_hash", self.preprocessing_hash),
            ("key_fingerprint", self.key_fingerprint),
        ]
        lines = [f"{key} = {_toml_value(value)}" for key, value in fields if value is not None]
        write_text(layout.description, "\n".join(lines) + "\n")

    @classmethod
    def read(cls, layout: CohortLayout) -> "CohortDescription":
        """Read `cohort.toml`.

        Raises CohortError when the directory is not a cohort or the file is damaged,
        CohortVersionError when a newer version of PTACL wrote it.
        """
        values = _read_toml(layout)
        if values.get("kind") != KIND:
            raise CohortError(
                f"{layout.description}: expected kind '{KIND}', got {values.get('kind')!r}; "
                "give the folder that 'ptacl simulate' or 'ptacl preprocess' made"
            )
        version = values.get("version")
        if not isinstance(version, int) or version < 1 or version > LAYOUT_VERSION:
            raise CohortVersionError(
                f"{layout.description}: expected version 1 to {LAYOUT_VERSION}, got {version!r}; "
                "use the version of PTACL that wrote the cohort, or a newer one"
            )
        texts = {key: values.get(key) for key in ("name", "source", "preprocessing_hash")}
        for key, value in texts.items():
            if not isinstance(value, str):
                raise CohortError(f"{layout.description}: '{key}' must be text, got {value!r}")
        if texts["source"] not in ("simulated", "files"):
            raise CohortError(
                f"{layout.description}: expected source 'simulated' or 'files', "
                f"got {texts['source']!r}"
            )
        fingerprint = values.get("key_fingerprint")
        return cls(
            name=str(texts["name"]),
            source="simulated" if texts["source"] == "simulated" else "files",
            preprocessing_hash=str(texts["preprocessing_hash"]),
            cohort_id=str(values.get("cohort_id", "")),
            version=version,
            key_fingerprint=str(fingerprint) if fingerprint is not None else None,
        )


def draw_cohort_id() -> str:
    """A new random id of a cohort."""
    return uuid.uuid4().hex


def _read_toml(layout: CohortLayout) -> JsonObject:
    try:
        return tomllib.loads(layout.description.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CohortError(
            f"{layout.root}: expected a cohort directory with a cohort.toml, found none; "
            "make one with 'ptacl simulate' or 'ptacl preprocess'"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CohortError(
            f"{layout.description}: cannot be read as TOML ({type(error).__name__}); "
            "restore the file from a copy, or make the cohort anew"
        ) from None


def _toml_value(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    escaped = re.sub(r'[\x00-\x1f\x7f"\\]', lambda match: f"\\u{ord(match[0]):04x}", value)
    return f'"{escaped}"'
