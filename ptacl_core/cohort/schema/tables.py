"""The tables of the store: columns, keys and meaning, in one place.

Creation, bulk writing, verification, erasure and the printed documentation all read from
`TABLES`; a change of a table is a migration in `migrations.py` as well.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its DuckDB type and what it means."""

    name: str
    type: str
    meaning: str
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table: `key` columns identify a row, `patient_column` is None for tables of no person."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    patient_column: str | None = "patient"

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names in order."""
        return tuple(column.name for column in self.columns)

    def create_sql(self, schema: str = "main") -> str:
        """The statement that creates the table."""
        columns = ", ".join(
            f"{column.name} {column.type}{' NOT NULL' if column.is_required else ''}"
            for column in self.columns
        )
        return f"CREATE TABLE {schema}.{self.name} ({columns})"


def _column(name: str, kind: str, meaning: str) -> Column:
    required = kind.endswith("!")
    return Column(name, kind.rstrip("!"), meaning, required)


def _table(
    name: str,
    meaning: str,
    columns: tuple[tuple[str, str, str], ...],
    key: tuple[str, ...],
    *,
    patient_column: str | None = "patient",
) -> Table:
    return Table(name, meaning, tuple(_column(*column) for column in columns), key, patient_column)


_PATIENT = ("patient", "VARCHAR!", "pseudonym")
_VISIT = ("visit", "INTEGER!", "number of the visit, from 0 (UK Biobank: the instance)")
_MODALITY = ("modality", "VARCHAR!", "ecg or cmr")
_RUN = ("run", "VARCHAR!", "id of the training run")

FINDINGS_TYPE = "STRUCT(code VARCHAR, severity VARCHAR, message VARCHAR, leads VARCHAR[])[]"

TABLES: tuple[Table, ...] = (
    _table(
        "patients",
        "One row per person, at the first visit.",
        (
            _PATIENT,
            ("sex", "VARCHAR", "F or M"),
            ("age_years", "DOUBLE", "age at the first visit"),
            ("height_cm", "DOUBLE", "standing height"),
            ("weight_kg", "DOUBLE", "body weight"),
            ("bmi_kg_m2", "DOUBLE", "body mass index"),
            ("bsa_m2", "DOUBLE", "body surface area"),
            ("ethnicity", "VARCHAR", "as the source states it"),
        ),
        ("patient",),
    ),
    _table(
        "visits",
        "One row per person and visit. No calendar date is kept.",
        (
            _PATIENT,
            _VISIT,
            ("age_years", "DOUBLE", "age at this visit"),
            ("days_since_first", "INTEGER", "days since the first visit"),
            ("height_cm", "DOUBLE", "standing height at this visit"),
            ("weight_kg", "DOUBLE", "body weight at this visit"),
        ),
        ("patient", "visit"),
    ),
    _table(
        "recordings",
        "One row per ECG or CMR recording, with what reading and preprocessing found.",
        (
            _PATIENT,
            _VISIT,
            _MODALITY,
            (
                "file_hash",
                "VARCHAR",
                "HMAC, under the cohort's key, of the SHA-256 of the source file (several: of "
                "their hashes; simulated, so that there is none: of the recording's bytes in its "
                "shard); null: the key was not at hand",
            ),
            ("format", "VARCHAR", "format of the source file"),
            ("sampling_rate_hz", "DOUBLE", "of the source ECG"),
            ("duration_s", "DOUBLE", "of the source ECG"),
            ("num_slices", "INTEGER", "of the source cine stack"),
            ("num_frames", "INTEGER", "of the source cine stack"),
            ("spacing_mm", "DOUBLE[]", "slice, row, column spacing of the source cine stack"),
            ("slice_index", "INTEGER", "slice that the shards hold"),
            ("frame_interval_ms", "DOUBLE", "between the frames that the shards hold"),
            ("centre_px", "DOUBLE[]", "heart centre (row, column) in the source image"),
            ("is_accepted", "BOOLEAN", "false: a finding rejects the recording"),
            ("quality", "VARCHAR", "good, fair or poor"),
            ("findings", FINDINGS_TYPE, "what was derived, cut, missing or suspicious"),
            ("heart_rate_bpm", "DOUBLE", "measured on the ECG"),
            ("pr_ms", "DOUBLE", "measured on the ECG"),
            ("qrs_ms", "DOUBLE", "measured on the ECG"),
            ("qt_ms", "DOUBLE", "measured on the ECG"),
            ("qtc_ms", "DOUBLE", "measured on the ECG, corrected for rate"),
            ("axis_deg", "DOUBLE", "electrical axis measured on the ECG"),
            ("preprocessing_hash", "VARCHAR", "hash in the table preprocessing"),
        ),
        ("patient", "visit", "modality"),
    ),
    _table(
        "ecg_marks",
        "Where the waves of each beat begin and end, over all leads, in samples at 500 Hz.",
        (
            _PATIENT,
            _VISIT,
            ("source", "VARCHAR!", "ptacl (computed) or device (as the file has them)"),
            ("beat", "INTEGER!", "number of the beat, from 0; -1: the representative beat"),
            ("beat_class", "INTEGER", "beats of one QRS shape; 0: that of the representative beat"),
            ("r_peak", "INTEGER", "sample of the R peak"),
            ("p_onset", "INTEGER", "first sample of P (null here and below: absent)"),
            ("p_offset", "INTEGER", "last sample of P"),
            ("qrs_onset", "INTEGER", "first sample of QRS"),
            ("qrs_offset", "INTEGER", "last sample of QRS (J)"),
            ("t_peak", "INTEGER", "peak of T"),
            ("t_end", "INTEGER", "end of T"),
        ),
        ("patient", "visit", "source", "beat"),
    ),
    _table(
        "ecg_figures",
        "Figures of an ECG: intervals, axes, voltages; ours and the device's own.",
        (
            _PATIENT,
            _VISIT,
            ("source", "VARCHAR!", "ptacl (computed) or device (as the file has them)"),
            ("name", "VARCHAR!", "figure, e.g. qtc_fridericia_ms"),
            ("value", "DOUBLE!", "in `unit`"),
            ("unit", "VARCHAR", "ms, bpm, deg or mV"),
        ),
        ("patient", "visit", "source", "name"),
    ),
    _table(
        "ecg_leads",
        "Amplitudes of each lead of the representative beat, from the level before QRS, in mV.",
        (
            _PATIENT,
            _VISIT,
            ("lead", "VARCHAR!", "I to V6"),
            ("p_mv", "DOUBLE", "P"),
            ("q_mv", "DOUBLE", "Q (negative; a QS complex as Q)"),
            ("r_mv", "DOUBLE", "R"),
            ("s_mv", "DOUBLE", "S (negative)"),
            ("st_j_mv", "DOUBLE", "ST at the end of QRS"),
            ("st_j60_mv", "DOUBLE", "ST 60 ms later"),
            ("st_j80_mv", "DOUBLE", "ST 80 ms later"),
            ("t_mv", "DOUBLE", "T"),
        ),
        ("patient", "visit", "lead"),
    ),
    _table(
        "ecg_statements",
        "Named statements about an ECG with their criteria; the device's own as it words them.",
        (
            _PATIENT,
            _VISIT,
            ("source", "VARCHAR!", "ptacl (computed) or device (as the file has them)"),
            ("number", "INTEGER!", "order, from 0"),
            ("code", "VARCHAR", "stable name, e.g. lbbb_morphology; null for a device's"),
            ("text", "VARCHAR!", "the statement"),
            ("criterion", "VARCHAR", "when it is made"),
            ("reference", "VARCHAR", "where the criterion is published"),
        ),
        ("patient", "visit", "source", "number"),
    ),
    _table(
        "phenotypes",
        "Measured phenotypes, one row per person, visit and name.",
        (
            _PATIENT,
            _VISIT,
            ("name", "VARCHAR!", "phenotype, e.g. lvef_pct"),
            ("value", "DOUBLE", "in `unit`"),
            ("unit", "VARCHAR", "mL, %, L/min or g"),
            ("source", "VARCHAR", "where the value comes from"),
            ("convention", "VARCHAR", "how it was measured, e.g. papillary muscles in the cavity"),
        ),
        ("patient", "visit", "name"),
    ),
    _table(
        "scanner_phenotypes",
        "What the scanner's own contours gave (UK Biobank 22420 to 22424): kept apart from "
        "phenotypes, never a label of training.",
        (
            _PATIENT,
            _VISIT,
            ("name", "VARCHAR!", "phenotype of the same name, e.g. lvef_pct"),
            ("value", "DOUBLE", "in `unit`"),
            ("unit", "VARCHAR", "mL, % or L/min"),
            ("field", "INTEGER", "UK Biobank data-field"),
        ),
        ("patient", "visit", "name"),
    ),
    _table(
        "shards",
        "Where the training-ready array of a recording lies.",
        (
            _PATIENT,
            _VISIT,
            _MODALITY,
            ("shard", "VARCHAR!", "file in the folder shards"),
            ("row", "BIGINT!", "row in that file, from 0"),
            ("preprocessing_hash", "VARCHAR", "hash in the table preprocessing"),
        ),
        ("patient", "visit", "modality"),
    ),
    _table(
        "preprocessing",
        "Settings under which arrays were made.",
        (
            ("hash", "VARCHAR!", "hash of the settings"),
            ("settings_json", "VARCHAR", "the settings as JSON"),
            ("created_at", "TIMESTAMP", "first use, UTC"),
        ),
        ("hash",),
        patient_column=None,
    ),
    _table(
        "runs",
        "Training runs whose results the store holds.",
        (
            _RUN,
            ("kind", "VARCHAR", "what was trained, e.g. align"),
            ("config_json", "VARCHAR", "the run's settings as JSON"),
            ("checkpoint_sha256", "VARCHAR", "SHA-256 of the weights"),
            ("preprocessing_hash", "VARCHAR", "hash in the table preprocessing"),
            ("split_name", "VARCHAR", "split that the run trained on, in the table splits"),
            ("data_sha256", "VARCHAR", "SHA-256 of shards/manifest.parquet as it was trained on"),
            ("code_version", "VARCHAR", "version of PTACL that trained"),
            ("seed", "BIGINT", "seed of the run"),
            ("created_at", "TIMESTAMP", "UTC"),
            (
                "withdrawn_people",
                "INTEGER",
                "people erased since who were, or may have been, in its training (null: none)",
            ),
        ),
        ("run",),
        patient_column=None,
    ),
    _table(
        "embedding_sets",
        "Which embeddings exist; the vectors are in embeddings_<dim>, column vector FLOAT[dim].",
        (
            _RUN,
            _MODALITY,
            ("space", "VARCHAR!", "pooled (encoder output) or projected (shared space)"),
            ("dim", "INTEGER!", "width of the vectors"),
            ("num_vectors", "BIGINT!", "how many"),
            ("fingerprint", "VARCHAR!", "SHA-256 over ids and float32 values"),
            ("checkpoint_sha256", "VARCHAR", "weights that made them"),
            ("created_at", "TIMESTAMP", "UTC"),
        ),
        ("run", "modality", "space"),
        patient_column=None,
    ),
    _table(
        "predictions",
        "Phenotypes predicted from an ECG, with interval and provenance. Research use only.",
        (
            _RUN,
            _PATIENT,
            _VISIT,
            ("name", "VARCHAR!", "phenotype"),
            ("value", "DOUBLE!", "predicted value, in `unit`"),
            ("low", "DOUBLE!", "lower end of the interval"),
            ("high", "DOUBLE!", "upper end of the interval"),
            ("unit", "VARCHAR!", "mL, %, L/min or g"),
            ("coverage", "DOUBLE", "nominal coverage of the interval, 0 to 1"),
            ("file_hash", "VARCHAR", "which ECG file was read, as in recordings"),
            ("checkpoint_sha256", "VARCHAR", "weights that predicted"),
            ("preprocessing_hash", "VARCHAR", "hash in the table preprocessing"),
            ("created_at", "TIMESTAMP", "UTC"),
            ("interval_group", "VARCHAR", "people whose interval it is: sex and age, or all"),
            ("z_score", "DOUBLE", "value among training patients of that sex, age and body size"),
        ),
        ("run", "patient", "visit", "name"),
    ),
    _table(
        "out_of_distribution",
        "How far a recording lies from what a run was trained on.",
        (
            _RUN,
            _PATIENT,
            _VISIT,
            _MODALITY,
            ("score", "DOUBLE!", "distance; larger is stranger"),
            ("threshold", "DOUBLE", "score from which a recording is flagged"),
            ("is_flagged", "BOOLEAN!", "true: do not trust predictions of this recording"),
        ),
        ("run", "patient", "visit", "modality"),
    ),
    _table(
        "splits",
        "Which part of a named split a person belongs to: one row per person, all visits.",
        (
            ("split_name", "VARCHAR!", "name of the split"),
            _PATIENT,
            ("split", "VARCHAR!", "train, val or test"),
            ("assigned_at", "TIMESTAMP", "UTC"),
        ),
        ("split_name", "patient"),
    ),
    _table(
        "evaluation_results",
        "One figure of a run's evaluation per row.",
        (
            _RUN,
            ("section", "VARCHAR!", "regression, retrieval, alignment …"),
            ("variant", "VARCHAR!", "e.g. included or excluded (the query itself); else empty"),
            ("modality", "VARCHAR!", "ecg, cmr, or empty"),
            ("phenotype", "VARCHAR!", "phenotype, or empty"),
            ("metric", "VARCHAR!", "r2, p_at_1, mean_rank …"),
            ("value", "DOUBLE", "the figure (null: not defined)"),
            ("low", "DOUBLE", "lower end of its interval"),
            ("high", "DOUBLE", "upper end of its interval"),
        ),
        ("run", "section", "variant", "modality", "phenotype", "metric"),
        patient_column=None,
    ),
    _table(
        "evaluation_documents",
        "A run's evaluation as the command line prints it.",
        (
            _RUN,
            ("document_json", "VARCHAR!", "the whole document as JSON"),
            ("created_at", "TIMESTAMP", "UTC"),
        ),
        ("run",),
        patient_column=None,
    ),
    _table(
        "evaluation_predictions",
        "A run's evaluation patient by patient: observed and predicted phenotypes of Table 2.",
        (
            _RUN,
            ("variant", "VARCHAR!", "row of Table 2, e.g. aligned-ecg"),
            _MODALITY,
            _PATIENT,
            _VISIT,
            ("phenotype", "VARCHAR!", "e.g. lvef_pct"),
            ("observed", "DOUBLE", "as measured (null: no label)"),
            ("predicted", "DOUBLE", "as the row predicts it"),
        ),
        ("run", "variant", "modality", "patient", "visit", "phenotype"),
    ),
    _table(
        "evaluation_retrieval",
        "A run's evaluation patient by patient: precision and first match of Table 1.",
        (
            _RUN,
            ("direction", "VARCHAR!", "ecg-cmr, cmr-ecg …"),
            ("own", "VARCHAR!", "included or excluded: the query itself among the candidates"),
            _PATIENT,
            _VISIT,
            ("phenotype", "VARCHAR!", "e.g. lvef_pct"),
            *((f"p_at_{k}", "DOUBLE", f"precision at {k}") for k in (1, 3, 5, 10, 15)),
            ("first_match_rank", "INTEGER", "rank of the first patient who matches, from 1"),
        ),
        ("run", "direction", "own", "patient", "visit", "phenotype"),
    ),
    _table(
        "alignment_maps",
        "Similarity of a visit's ECG steps with its CMR steps.",
        (
            _RUN,
            _PATIENT,
            _VISIT,
            ("similarity", "FLOAT[169]", "13 x 13 cosines, ECG step by ECG step"),
        ),
        ("run", "patient", "visit"),
    ),
    _table(
        "tombstones",
        "Keyed hashes of pseudonyms that were erased and may not come back.",
        (
            ("tombstone", "VARCHAR!", "HMAC-SHA-256 of the pseudonym"),
            ("erased_at", "TIMESTAMP", "UTC"),
        ),
        ("tombstone",),
        patient_column=None,
    ),
    _table(
        "schema_version",
        "Migrations applied to this store.",
        (
            ("version", "INTEGER!", "number of the migration"),
            ("name", "VARCHAR!", "what it did"),
            ("applied_at", "TIMESTAMP!", "UTC"),
        ),
        ("version",),
        patient_column=None,
    ),
    _table(
        "store_version",
        "One row: which publication of the store this is.",
        (
            ("version", "BIGINT!", "grows by one with every publication"),
            ("purpose", "VARCHAR!", "what the writer did"),
            ("software", "VARCHAR!", "version of PTACL"),
            ("published_at", "TIMESTAMP!", "UTC"),
        ),
        ("version",),
        patient_column=None,
    ),
)

TABLE_BY_NAME = {table.name: table for table in TABLES}

INTERNAL_TABLES = frozenset({"schema_version", "store_version", "tombstones", "embedding_sets"})
"""Tables that only the writer itself fills."""


def embedding_table(dim: int) -> Table:
    """The table that holds vectors of width `dim`."""
    return Table(
        f"embeddings_{dim}",
        f"Embeddings of width {dim}.",
        (
            *(_column(*column) for column in (_RUN, _MODALITY)),
            Column("space", "VARCHAR", "pooled or projected", True),
            *(_column(*column) for column in (_PATIENT, _VISIT)),
            Column("position", "INTEGER", "row of the vector in its set, from 0", True),
            Column("vector", f"FLOAT[{dim}]", "the embedding", True),
        ),
        ("run", "modality", "space", "patient", "visit"),
    )
