"""The manifest of the shards as rows of the store; what simulate and preprocess end with."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ptacl_core.cohort import Cohort, CohortDescription, CohortLayout
from ptacl_core.cohort.identity.keys import find_key
from ptacl_core.cohort.writing.ecg_rows import ANALYSIS_COLUMNS
from ptacl_core.json_values import JsonValue
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS
from ptacl_core.records.phenotypes import SCANNER_COLUMNS, SCANNER_FIELD_IDS
from ptacl_core.safety.files.atomic import write_json
from ptacl_core.safety.files.json_object import read_json_object
from ptacl_core.safety.files.lock import wait_for_lock
from ptacl_core.shards import ShardReader
from ptacl_core.shards.manifest import read_merged_shards
from ptacl_core.shards.spec import MANIFEST_FILE, MEASUREMENT_NAMES, ManifestRow

if TYPE_CHECKING:
    import pyarrow as pa

SPLIT_NAME = "default"
StoreRow = dict[str, object]
"""A row of a table of the store by column."""

_DEMOGRAPHICS = ("sex", "age_years", "height_cm", "weight_kg", "bmi_kg_m2")


REGISTER_LOCK = ".register.lock"
REGISTERED_FILE = ".registered.json"


def register_shards(
    cohort_dir: Path, *, name: str, source: Literal["simulated", "files"], convention: str
) -> None:
    """Bring the store of `cohort_dir` in line with its shards, creating it when it is new.

    `source` is "simulated" or "files", `convention` how the phenotypes were measured. Rows
    are replaced by key, so a second call changes nothing. Of jobs that end together each waits
    for the one before it, and writes nothing where that one has registered its shards as well.
    Rows are written of the people in shards that came since, of all people where the store or
    a shard is not what it was. Raises CohortLockedError after a long wait.
    """
    shards = cohort_dir / "shards"
    with (
        wait_for_lock(shards / REGISTER_LOCK, purpose="register"),
        ShardReader.open(cohort_dir) as reader,
    ):
        if not (cohort_dir / "cohort.toml").exists():
            Cohort.create(
                cohort_dir,
                name=name,
                source=source,
                preprocessing_hash=reader.preprocessing_hash,
            ).close()
        key = find_key(CohortLayout(cohort_dir), create=True)
        made_with = {
            "convention": convention,
            "preprocessing_hash": reader.preprocessing_hash,
            "key_fingerprint": None if key is None else key.fingerprint,
        }
        manifest = {"manifest_sha256": reader.manifest_sha256}
        known = read_json_object(shards / REGISTERED_FILE) or {}
        stored = {**made_with, **_count_rows(cohort_dir)}
        is_intact = {name: known.get(name) for name in stored} == stored
        if is_intact and known.get("manifest_sha256") == reader.manifest_sha256:
            return
        merged = read_merged_shards(shards, manifest_sha256=reader.manifest_sha256)
        rows = reader.table
        if is_intact:
            rows = _take_grown(rows, shards, known.get("merged_shards"), merged)
        tables = build_store_tables(rows, reader.preprocessing_hash, convention=convention)
        with Cohort.write(cohort_dir, purpose="register") as writer:
            for table, put in (
                ("patients", writer.put_patients),
                ("visits", writer.put_visits),
                ("recordings", writer.put_recordings),
                ("ecg_analyses", writer.put_ecg_analyses),
                ("phenotypes", writer.put_phenotypes),
                ("scanner_phenotypes", writer.put_scanner_phenotypes),
                ("shards", writer.put_shards),
                ("splits", writer.put_splits),
            ):
                if tables[table].num_rows:  # an empty table has no columns to put
                    put(tables[table])
            writer.put_preprocessing(
                reader.preprocessing_hash, reader.preprocessing.model_dump(mode="json")
            )
        document = {
            **made_with,
            **manifest,
            **_count_rows(cohort_dir),
            "merged_shards": merged,
            "cohort_id": CohortDescription.read(CohortLayout(cohort_dir)).cohort_id,
        }
        write_json(shards / REGISTERED_FILE, document)


def _take_grown(
    rows: "pa.Table",
    directory: Path,
    known: JsonValue,
    merged: dict[str, str] | None,
) -> "pa.Table":
    """All rows of the people in shards that came since; all rows where that cannot be told."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not isinstance(known, dict) or merged is None or not known.items() < merged.items():
        return rows
    people = {
        patient
        for name in merged.keys() - known.keys()
        for patient in pq.read_table(
            directory / name / MANIFEST_FILE, columns=["patient"], memory_map=False
        )
        .column("patient")
        .to_pylist()
    }
    is_theirs = [patient in people for patient in rows.column("patient").to_pylist()]
    return rows.filter(pa.array(is_theirs, pa.bool_()))


_COUNTED = (
    "patients",
    "visits",
    "recordings",
    "phenotypes",
    "scanner_phenotypes",
    "shards",
    "splits",
    "preprocessing",
)


def _count_rows(cohort_dir: Path) -> dict[str, int]:
    """Rows of the tables that registering writes: a store that was rebuilt or restored differs."""
    counts = ", ".join(f"(SELECT count(*) FROM {table})" for table in _COUNTED)  # noqa: S608
    with Cohort.open(cohort_dir) as cohort:
        (numbers,) = cohort.fetch(f"SELECT {counts}")
    return dict(zip(_COUNTED, map(int, numbers), strict=True))


def build_store_tables(
    table: "pa.Table", preprocessing_hash: str, *, convention: str
) -> dict[str, "pa.Table"]:
    """Rows of the store's tables, from rows of the manifest: all those of each person in it."""
    import pyarrow as pa

    nested = [name for name in ANALYSIS_COLUMNS if name not in ("patient", "visit")]
    rows = table.drop_columns(nested).to_pylist()
    first_visit: dict[str, ManifestRow] = {}
    for row in rows:
        known = first_visit.get(row["patient"])
        if known is None or row["visit"] < known["visit"]:
            first_visit[row["patient"]] = row
    hash_ = preprocessing_hash
    recordings = [
        record
        for row in rows
        for record in (_ecg_recording(row, hash_), _cmr_recording(row, hash_))
        if record is not None
    ]
    return {
        "patients": pa.Table.from_pylist(
            [
                {"patient": patient, **{key: row[key] for key in _DEMOGRAPHICS}}
                for patient, row in first_visit.items()
            ]
        ),
        "visits": pa.Table.from_pylist(
            [
                {
                    key: row[key]
                    for key in ("patient", "visit", "age_years", "height_cm", "weight_kg")
                }
                for row in rows
            ]
        ),
        "recordings": pa.Table.from_pylist(_same_keys(recordings)),
        "ecg_analyses": _with_ecg(table).select(list(ANALYSIS_COLUMNS)),
        "phenotypes": pa.Table.from_pylist(_phenotype_rows(rows, convention)),
        "scanner_phenotypes": pa.Table.from_pylist(_scanner_rows(rows)),
        "shards": pa.Table.from_pylist(
            [
                {
                    "patient": row["patient"],
                    "visit": row["visit"],
                    "modality": modality,
                    "shard": row["shard"],
                    "row": row[column],
                    "preprocessing_hash": hash_,
                }
                for row in rows
                for modality, column in (("ecg", "ecg_row"), ("cmr", "cine_row"))
                if row[column] is not None
            ]
        ),
        "splits": pa.Table.from_pylist(
            [
                {"split_name": SPLIT_NAME, "patient": patient, "split": row["split"]}
                for patient, row in first_visit.items()
            ]
        ),
    }


def _phenotype_rows(rows: list[ManifestRow], convention: str) -> list[StoreRow]:
    return [
        {
            "patient": row["patient"],
            "visit": row["visit"],
            "name": name,
            "value": row[name],
            "unit": PHENOTYPE_UNITS[name],
            "source": "phenotype table",
            "convention": convention,
        }
        for row in rows
        for name in PHENOTYPE_NAMES
        if row[name] is not None
    ]


def _scanner_rows(rows: list[ManifestRow]) -> list[StoreRow]:
    """What the scanner's own contours gave, which are not phenotypes here."""
    return [
        {
            "patient": row["patient"],
            "visit": row["visit"],
            "name": name,
            "value": row[column],
            "unit": PHENOTYPE_UNITS[name],
            "field": SCANNER_FIELD_IDS[name],
        }
        for row in rows
        for name, column in SCANNER_COLUMNS.items()
        if row[column] is not None
    ]


def _with_ecg(table: "pa.Table") -> "pa.Table":
    """The visits with an ECG that was measured here."""
    import pyarrow as pa

    is_there = [table.column(name).is_valid().to_numpy() for name in ("ecg_row", "ecg_marks")]
    return table.filter(pa.array(is_there[0] & is_there[1]))


def _ecg_recording(row: ManifestRow, preprocessing_hash: str) -> StoreRow | None:
    if row["ecg_row"] is None:
        return None
    return {
        **_recording(row, "ecg", preprocessing_hash),
        "heart_rate_bpm": row["heart_rate_bpm"],
        **{name: row[name] for name in MEASUREMENT_NAMES},
    }


def _cmr_recording(row: ManifestRow, preprocessing_hash: str) -> StoreRow | None:
    if row["cine_row"] is None:
        return None
    return {
        **_recording(row, "cmr", preprocessing_hash),
        "slice_index": row["slice_index"],
        "frame_interval_ms": row["frame_interval_ms"],
        "centre_px": [row["centre_row_px"], row["centre_column_px"]],
    }


def _recording(row: ManifestRow, modality: str, preprocessing_hash: str) -> StoreRow:
    findings = [json.loads(text) for text in row[f"{modality}_findings"] or []]
    has_warning = any(finding["severity"] == "warning" for finding in findings)
    return {
        "patient": row["patient"],
        "visit": row["visit"],
        "modality": modality,
        "file_sha256": row[f"{modality}_sha256"],
        "format": row[f"{modality}_format"],
        "is_accepted": True,
        "quality": "fair" if has_warning else "good",
        "findings": findings,
        "preprocessing_hash": preprocessing_hash,
    }


def _same_keys(rows: list[StoreRow]) -> list[StoreRow]:
    """Rows padded with None, since Arrow takes its columns from the first one."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return [{key: row.get(key) for key in keys} for row in rows]
