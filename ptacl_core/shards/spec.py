"""What a shard directory holds: kind, version, columns of the manifest, names of the files.

shards/manifest.parquet       one row per patient and visit, over all shards
shards/rejected.parquet       one row per file left out, with the reason
shards/<shard>/ecg.npy        float16 [row, 12, 5000], as `prepare_ecg` normalised it
shards/<shard>/cine.npy       uint8 [row, 50, 84, 84], [0, 1] in 255 steps
shards/<shard>/manifest.parquet, rejected.parquet    this shard's rows
shards/<shard>/shard.json     kind, version, preprocessing, sizes; written last
"""

from typing import TYPE_CHECKING, Any, TypedDict

from ptacl_core.json_values import JsonObject
from ptacl_core.records import MARK_NAMES, PHENOTYPE_NAMES
from ptacl_core.records.phenotypes import SCANNER_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

ManifestRow = dict[str, Any]
"""A row of the manifest by column, as Arrow gives and takes it.

`build_manifest_schema` states the types; Arrow refuses what does not fit them.
"""


class ShardSequence(TypedDict, total=False):
    """Which call wrote a shard; absent of the first."""

    sequence: int


class ShardDescription(ShardSequence):
    """`shard.json`: what a shard holds, and the hash of each of its files."""

    kind: str
    version: int
    preprocessing: JsonObject
    preprocessing_hash: str
    rows: int
    sha256: dict[str, str]


KIND = "ptacl-shards"
VERSION = 1
CINE_STEPS = 255
"""Steps of the bytes in which cines in [0, 1] are stored."""
SPLIT_NAMES = ("train", "val", "test")
COVARIATE_NAMES = ("sex_male", "age_years", "height_cm", "weight_kg", "bmi_kg_m2")
"""Columns of `ShardReader.covariates`: 1 = male, years, cm, kg, kg/m²."""
MEASUREMENT_NAMES = ("pr_ms", "qrs_ms", "qt_ms", "qtc_ms", "axis_deg")

EVERY_VISIT = -1
"""Visit number of rows without arrays that hold for all visits of a person."""
PLACE_COLUMNS = ("patient", "visit", "split", "shard", "ecg_row", "cine_row")
"""Columns that say whose a row is and where its arrays lie; the others are known of the visit."""

ECG_COLUMNS = (
    "r_peak_samples",
    "heart_rate_bpm",
    *MEASUREMENT_NAMES,
    "ecg_scale_mv",
    "ecg_offset_mv",
    "ecg_findings",
    "ecg_format",
    "ecg_sha256",
)
"""Columns that an ECG fills; another ECG in its place replaces all of them."""
CMR_COLUMNS = (
    "frame_interval_ms",
    "slice_index",
    "centre_row_px",
    "centre_column_px",
    "cmr_findings",
    "cmr_format",
    "cmr_sha256",
)
"""Columns that a cine fills; another cine in its place replaces all of them."""

ECG_FILE = "ecg.npy"
CINE_FILE = "cine.npy"
MANIFEST_FILE = "manifest.parquet"
REJECTED_FILE = "rejected.parquet"
DESCRIPTION_FILE = "shard.json"


def build_manifest_schema() -> "pa.Schema":
    """Columns and types of `manifest.parquet`; a null row number means "no such modality"."""
    import pyarrow as pa

    marks = [(name, pa.int32()) for name in ("beat", "r_peak", "beat_class", *MARK_NAMES)]
    numbers = ("age_years", "height_cm", "weight_kg", "bmi_kg_m2", *PHENOTYPE_NAMES)
    numbers = (*numbers, *SCANNER_COLUMNS.values())
    return pa.schema(
        [
            ("patient", pa.string()),
            ("visit", pa.int32()),
            ("split", pa.string()),
            ("shard", pa.string()),
            ("ecg_row", pa.int32()),
            ("cine_row", pa.int32()),
            ("r_peak_samples", pa.list_(pa.int32())),
            ("heart_rate_bpm", pa.float64()),
            *((name, pa.float64()) for name in MEASUREMENT_NAMES),
            ("ecg_figures", pa.map_(pa.string(), pa.float64())),
            ("ecg_lead_figures_mv", pa.list_(pa.float32())),
            ("ecg_marks", pa.list_(pa.struct(marks))),
            ("ecg_statements", pa.list_(pa.string())),
            ("device_figures", pa.map_(pa.string(), pa.float64())),
            ("device_marks", pa.list_(pa.struct(marks))),
            ("device_statements", pa.list_(pa.string())),
            ("ecg_scale_mv", pa.list_(pa.float32())),
            ("ecg_offset_mv", pa.list_(pa.float32())),
            ("ecg_findings", pa.list_(pa.string())),
            ("ecg_format", pa.string()),
            ("ecg_sha256", pa.string()),
            ("frame_interval_ms", pa.float64()),
            ("slice_index", pa.int32()),
            ("centre_row_px", pa.float64()),
            ("centre_column_px", pa.float64()),
            ("cmr_findings", pa.list_(pa.string())),
            ("cmr_format", pa.string()),
            ("cmr_sha256", pa.string()),
            ("sex", pa.string()),
            *((name, pa.float64()) for name in numbers),
        ]
    )


def build_rejected_schema() -> "pa.Schema":
    """Columns and types of `rejected.parquet`."""
    import pyarrow as pa

    return pa.schema(
        [
            ("patient", pa.string()),
            ("visit", pa.int32()),
            ("modality", pa.string()),
            ("file", pa.string()),
            ("reason", pa.string()),
            ("message", pa.string()),
        ]
    )
