"""The statements of each migration, as they were when it was released: never edited."""

FIRST_SCHEMA = (
    """
    CREATE TABLE patients (
        patient VARCHAR NOT NULL,
        sex VARCHAR,
        age_years DOUBLE,
        height_cm DOUBLE,
        weight_kg DOUBLE,
        bmi_kg_m2 DOUBLE,
        bsa_m2 DOUBLE,
        ethnicity VARCHAR
    )
    """,
    """
    CREATE TABLE visits (
        patient VARCHAR NOT NULL,
        visit INTEGER NOT NULL,
        age_years DOUBLE,
        days_since_first INTEGER,
        height_cm DOUBLE,
        weight_kg DOUBLE
    )
    """,
    """
    CREATE TABLE recordings (
        patient VARCHAR NOT NULL,
        visit INTEGER NOT NULL,
        modality VARCHAR NOT NULL,
        file_sha256 VARCHAR,
        format VARCHAR,
        sampling_rate_hz DOUBLE,
        duration_s DOUBLE,
        num_slices INTEGER,
        num_frames INTEGER,
        spacing_mm DOUBLE[],
        slice_index INTEGER,
        frame_interval_ms DOUBLE,
        centre_px DOUBLE[],
        is_accepted BOOLEAN,
        quality VARCHAR,
        findings STRUCT(code VARCHAR, severity VARCHAR, message VARCHAR, leads VARCHAR[])[],
        heart_rate_bpm DOUBLE,
        pr_ms DOUBLE,
        qrs_ms DOUBLE,
        qt_ms DOUBLE,
        qtc_ms DOUBLE,
        axis_deg DOUBLE,
        preprocessing_hash VARCHAR
    )
    """,
    """
    CREATE TABLE phenotypes (
        patient VARCHAR NOT NULL,
        visit INTEGER NOT NULL,
        name VARCHAR NOT NULL,
        value DOUBLE,
        unit VARCHAR,
        source VARCHAR,
        convention VARCHAR
    )
    """,
    """
    CREATE TABLE shards (
        patient VARCHAR NOT NULL,
        visit INTEGER NOT NULL,
        modality VARCHAR NOT NULL,
        shard VARCHAR NOT NULL,
        row BIGINT NOT NULL,
        preprocessing_hash VARCHAR
    )
    """,
    """
    CREATE TABLE preprocessing (
        hash VARCHAR NOT NULL,
        settings_json VARCHAR,
        created_at TIMESTAMP
    )
    """,
    """
    CREATE TABLE runs (
        run VARCHAR NOT NULL,
        kind VARCHAR,
        config_json VARCHAR,
        checkpoint_sha256 VARCHAR,
        preprocessing_hash VARCHAR,
        split_name VARCHAR,
        data_sha256 VARCHAR,
        code_version VARCHAR,
        seed BIGINT,
        created_at TIMESTAMP
    )
    """,
    """
    CREATE TABLE embedding_sets (
        run VARCHAR NOT NULL,
        modality VARCHAR NOT NULL,
        space VARCHAR NOT NULL,
        dim INTEGER NOT NULL,
        num_vectors BIGINT NOT NULL,
        fingerprint VARCHAR NOT NULL,
        checkpoint_sha256 VARCHAR,
        created_at TIMESTAMP
    )
    """,
    """
    CREATE TABLE predictions (
        run VARCHAR NOT NULL,
        patient VARCHAR NOT NULL,
        visit INTEGER NOT NULL,
        name VARCHAR NOT NULL,
        value DOUBLE NOT NULL,
        low DOUBLE NOT NULL,
        high DOUBLE NOT NULL,
        unit VARCHAR NOT NULL,
        coverage DOUBLE,
        file_sha256 VARCHAR,
        checkpoint_sha256 VARCHAR,
        preprocessing_hash VARCHAR,
        created_at TIMESTAMP
    )
    """,
    """
    CREATE TABLE out_of_distribution (
        run VARCHAR NOT NULL,
        patient VARCHAR NOT NULL,
        visit INTEGER NOT NULL,
        modality VARCHAR NOT NULL,
        score DOUBLE NOT NULL,
        threshold DOUBLE,
        is_flagged BOOLEAN NOT NULL
    )
    """,
    """
    CREATE TABLE splits (
        split_name VARCHAR NOT NULL,
        patient VARCHAR NOT NULL,
        split VARCHAR NOT NULL,
        assigned_at TIMESTAMP
    )
    """,
    """
    CREATE TABLE evaluation_results (
        run VARCHAR NOT NULL,
        section VARCHAR NOT NULL,
        variant VARCHAR NOT NULL,
        modality VARCHAR NOT NULL,
        phenotype VARCHAR NOT NULL,
        metric VARCHAR NOT NULL,
        value DOUBLE,
        low DOUBLE,
        high DOUBLE
    )
    """,
    """
    CREATE TABLE evaluation_documents (
        run VARCHAR NOT NULL,
        document_json VARCHAR NOT NULL,
        created_at TIMESTAMP
    )
    """,
    """
    CREATE TABLE tombstones (
        tombstone VARCHAR NOT NULL,
        erased_at TIMESTAMP
    )
    """,
    """
    CREATE TABLE schema_version (
        version INTEGER NOT NULL,
        name VARCHAR NOT NULL,
        applied_at TIMESTAMP NOT NULL
    )
    """,
    """
    CREATE TABLE store_version (
        version BIGINT NOT NULL,
        purpose VARCHAR NOT NULL,
        software VARCHAR NOT NULL,
        published_at TIMESTAMP NOT NULL
    )
    """,
)

INTERVAL_GROUPS = (
    "ALTER TABLE predictions ADD COLUMN interval_group VARCHAR",
    "ALTER TABLE predictions ADD COLUMN z_score DOUBLE",
)

PATIENT_TABLES_OF_RUNS = (
    "ALTER TABLE runs ADD COLUMN withdrawn_people INTEGER",
    """
    CREATE TABLE evaluation_predictions (
        run VARCHAR NOT NULL,
        variant VARCHAR NOT NULL,
        modality VARCHAR NOT NULL,
        patient VARCHAR NOT NULL,
        visit INTEGER NOT NULL,
        phenotype VARCHAR NOT NULL,
        observed DOUBLE,
        predicted DOUBLE
    )
    """,
    """
    CREATE TABLE evaluation_retrieval (
        run VARCHAR NOT NULL,
        direction VARCHAR NOT NULL,
        own VARCHAR NOT NULL,
        patient VARCHAR NOT NULL,
        visit INTEGER NOT NULL,
        phenotype VARCHAR NOT NULL,
        p_at_1 DOUBLE,
        p_at_3 DOUBLE,
        p_at_5 DOUBLE,
        p_at_10 DOUBLE,
        p_at_15 DOUBLE,
        first_match_rank INTEGER
    )
    """,
    """
    CREATE TABLE alignment_maps (
        run VARCHAR NOT NULL,
        patient VARCHAR NOT NULL,
        visit INTEGER NOT NULL,
        similarity FLOAT[169]
    )
    """,
)

SCANNER_PHENOTYPES = (
    """
    CREATE TABLE scanner_phenotypes (
        patient VARCHAR NOT NULL,
        visit INTEGER NOT NULL,
        name VARCHAR NOT NULL,
        value DOUBLE,
        unit VARCHAR,
        field INTEGER
    )
    """,
)

ECG_ANALYSES = (
    """
    CREATE TABLE ecg_marks (
        patient VARCHAR NOT NULL,
        visit INTEGER NOT NULL,
        source VARCHAR NOT NULL,
        beat INTEGER NOT NULL,
        beat_class INTEGER,
        r_peak INTEGER,
        p_onset INTEGER,
        p_offset INTEGER,
        qrs_onset INTEGER,
        qrs_offset INTEGER,
        t_peak INTEGER,
        t_end INTEGER
    )
    """,
    """
    CREATE TABLE ecg_figures (
        patient VARCHAR NOT NULL,
        visit INTEGER NOT NULL,
        source VARCHAR NOT NULL,
        name VARCHAR NOT NULL,
        value DOUBLE NOT NULL,
        unit VARCHAR
    )
    """,
    """
    CREATE TABLE ecg_leads (
        patient VARCHAR NOT NULL,
        visit INTEGER NOT NULL,
        lead VARCHAR NOT NULL,
        p_mv DOUBLE,
        q_mv DOUBLE,
        r_mv DOUBLE,
        s_mv DOUBLE,
        st_j_mv DOUBLE,
        st_j60_mv DOUBLE,
        st_j80_mv DOUBLE,
        t_mv DOUBLE
    )
    """,
    """
    CREATE TABLE ecg_statements (
        patient VARCHAR NOT NULL,
        visit INTEGER NOT NULL,
        source VARCHAR NOT NULL,
        number INTEGER NOT NULL,
        code VARCHAR,
        text VARCHAR NOT NULL,
        criterion VARCHAR,
        reference VARCHAR
    )
    """,
)

COHORT_TARGETS = (
    """
    CREATE TABLE targets (
        name VARCHAR NOT NULL,
        position INTEGER NOT NULL,
        kind VARCHAR NOT NULL,
        unit VARCHAR NOT NULL,
        title VARCHAR NOT NULL,
        low DOUBLE,
        high DOUBLE,
        rule VARCHAR NOT NULL,
        reference VARCHAR NOT NULL
    )
    """,
    """
    CREATE TABLE target_values (
        patient VARCHAR NOT NULL,
        visit INTEGER NOT NULL,
        name VARCHAR NOT NULL,
        value DOUBLE NOT NULL,
        days_apart INTEGER
    )
    """,
)

GIVEN_VECTORS = (
    """
    CREATE TABLE vectors (
        patient VARCHAR NOT NULL,
        visit INTEGER NOT NULL,
        name VARCHAR NOT NULL,
        vector FLOAT[] NOT NULL
    )
    """,
)

KEYED_HASHES = tuple(
    statement
    for table in ("recordings", "predictions")
    for statement in (
        f"UPDATE {table} SET file_sha256 = "  # noqa: S608 - names from the line above
        "(SELECT keyed FROM keyed_hashes WHERE plain = file_sha256)",
        f"ALTER TABLE {table} RENAME COLUMN file_sha256 TO file_hash",
    )
)
