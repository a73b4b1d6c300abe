# ruff: noqa: S608 - names in statements come from tables.py and records, never from input
"""Bulk writes to the private copy of a store."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ptacl_core import __version__
from ptacl_core.arrays import Array, Float32
from ptacl_core.cohort.alignment_maps import build_map_table
from ptacl_core.cohort.embedding_rows import EmbeddingKey, read_vectors, write_vectors
from ptacl_core.cohort.engine import execute, readable_errors
from ptacl_core.cohort.identity.lineage import read_marks
from ptacl_core.cohort.identity.tombstones import find_erased, refuse_erased
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.cohort.schema.tables import TABLE_BY_NAME
from ptacl_core.cohort.search.vectors import check_vectors, compute_fingerprint
from ptacl_core.cohort.writing.ecg_rows import ANALYSIS_COLUMNS, unfold_analyses
from ptacl_core.cohort.writing.keyed_hashes import key_hashes
from ptacl_core.cohort.writing.table_writer import TableWriter, now
from ptacl_core.errors import CohortError
from ptacl_core.records.targets import Target

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MODALITIES = ("ecg", "cmr")
SPACES = ("pooled", "projected")


class CohortWriter:
    """Bulk writes to the private copy of a store; made by `write_cohort`.

    Every `put_` takes a pyarrow table with the columns that `describe_schema` lists (columns
    that may be null can be left out) and replaces rows of equal key, so that a repeated
    import changes nothing. Raises CohortError for unknown columns, missing or doubled keys.
    """

    def __init__(
        self, connection: "duckdb.DuckDBPyConnection", file: Path, layout: CohortLayout
    ) -> None:
        self._connection = connection
        self._file = file
        self._layout = layout
        self.audit_entries: list[tuple[str, dict[str, object]]] = []
        self._tables = TableWriter(connection, file, layout)

    @property
    def changed_tables(self) -> set[str]:
        """Tables that were written to: what is derived from others stays as it is."""
        return self._tables.changed

    def put_patients(self, table: "pa.Table") -> int:
        """Add or replace people; returns the number of rows."""
        return self._tables.put("patients", table)

    def put_visits(self, table: "pa.Table") -> int:
        """Add or replace visits; returns the number of rows."""
        return self._tables.put("visits", table)

    def put_recordings(self, table: "pa.Table") -> int:
        """Add or replace recordings with their findings; returns the number of rows.

        A column `file_sha256` is stored keyed, as `file_hash`.
        """
        return self._tables.put("recordings", key_hashes(table, self._layout))

    def put_ecg_analyses(self, table: "pa.Table") -> int:
        """Replace what was measured on some visits' ECGs: marks, figures, leads, statements.

        `table` has the columns `ANALYSIS_COLUMNS`, one row per visit; whatever the store has about
        those visits' ECGs goes. Returns the number of rows written.
        """
        self._connection.register("incoming_analyses", table.select(list(ANALYSIS_COLUMNS)))
        try:
            with readable_errors(self._file):
                rows = unfold_analyses(self._connection, "incoming_analyses")
                for name in rows:
                    execute(
                        self._connection,
                        f"DELETE FROM {name} WHERE (patient, visit) IN "
                        "(SELECT patient, visit FROM incoming_analyses)",
                    )
        finally:
            self._connection.unregister("incoming_analyses")
        return sum(self._tables.put(name, unfolded) for name, unfolded in rows.items())

    def put_phenotypes(self, table: "pa.Table") -> int:
        """Add or replace measured phenotypes; returns the number of rows."""
        return self._tables.put("phenotypes", table)

    def put_scanner_phenotypes(self, table: "pa.Table") -> int:
        """Add or replace what the scanner's own contours gave; returns the number of rows."""
        return self._tables.put("scanner_phenotypes", table)

    def put_targets(self, targets: Sequence[Target]) -> int:
        """Add or replace definitions of the cohort's own targets; returns the number of rows."""
        import pyarrow as pa

        rows = [{**asdict(target), "position": at} for at, target in enumerate(targets)]
        numbers = {"low": pa.float64(), "high": pa.float64(), "position": pa.int32()}
        columns = {
            name: pa.array([row[name] for row in rows], numbers.get(name, pa.string()))
            for name in TABLE_BY_NAME["targets"].column_names
        }
        return self._tables.put("targets", pa.table(columns))

    def put_target_values(self, table: "pa.Table") -> int:
        """Add or replace measured values of targets; returns the number of rows."""
        return self._tables.put("target_values", table)

    def forget_predictions(self, run: str, *, but: Sequence[str]) -> None:
        """Remove what `run` predicted before of other names than those it predicts now."""
        with readable_errors(self._file):
            execute(
                self._connection,
                "DELETE FROM predictions WHERE run = ? AND NOT list_contains(?::VARCHAR[], name)",
                [run, list(but)],
            )

    def remove_target(self, name: str) -> int:
        """Remove a target with all its values and predictions; returns how many values it had."""
        count = self._tables.ask("SELECT count(*) FROM target_values WHERE name = ?", [name])
        with readable_errors(self._file):
            for table in ("target_values", "targets", "predictions"):
                execute(self._connection, f"DELETE FROM {table} WHERE name = ?", [name])
        return int(count)

    def put_vectors(self, table: "pa.Table") -> int:
        """Add or replace vectors that another model made; returns the number of rows."""
        return self._tables.put("vectors", table)

    def remove_vectors(self, name: str) -> int:
        """Remove a set of given vectors; returns how many there were."""
        count = self._tables.ask("SELECT count(*) FROM vectors WHERE name = ?", [name])
        with readable_errors(self._file):
            execute(self._connection, "DELETE FROM vectors WHERE name = ?", [name])
        return int(count)

    def put_shards(self, table: "pa.Table") -> int:
        """Add or replace where arrays lie; returns the number of rows."""
        return self._tables.put("shards", table)

    def put_predictions(self, table: "pa.Table") -> int:
        """Add or replace predictions; interval and unit are required. Returns the rows.

        A column `file_sha256` is stored keyed, as `file_hash`.
        """
        return self._tables.put("predictions", key_hashes(table, self._layout))

    def put_out_of_distribution(self, table: "pa.Table") -> int:
        """Add or replace out-of-distribution scores; returns the number of rows."""
        return self._tables.put("out_of_distribution", table)

    def put_splits(self, table: "pa.Table") -> int:
        """Assign people to parts of a split; a person in use by a run cannot change part."""
        moved = self._tables.ask(
            "SELECT count(*) FROM incoming i JOIN splits s USING (split_name, patient) "
            "WHERE i.split <> s.split AND split_name IN (SELECT split_name FROM runs)",
            incoming=table.select(["split_name", "patient", "split"]),
        )
        if moved:
            raise CohortError(
                f"splits: {moved} people would change their part of a split that a run was "
                "trained on; give the new split another name"
            )
        return self._tables.put("splits", table, default_now="assigned_at")

    def put_preprocessing(self, preprocessing_hash: str, settings: Mapping[str, Any]) -> None:
        """Record the settings behind `preprocessing_hash`."""
        self._tables.put_row(
            "preprocessing",
            {
                "hash": preprocessing_hash,
                "settings_json": json.dumps(settings, sort_keys=True),
                "created_at": now(),
            },
        )

    def put_run(
        self,
        run: str,
        *,
        kind: str,
        config: Mapping[str, Any],
        checkpoint_sha256: str | None = None,
        preprocessing_hash: str | None = None,
        split_name: str | None = None,
        data_sha256: str | None = None,
        code_version: str = __version__,
        seed: int | None = None,
        created_at: datetime | None = None,
    ) -> None:
        """Record a training run; embeddings and predictions refer to it by `run`."""
        if not run:
            raise CohortError("runs: expected the id of a run, got empty text")
        mark = read_marks(self._layout).get(run)
        self._tables.put_row(
            "runs",
            {
                "run": run,
                "kind": kind,
                "config_json": json.dumps(config, sort_keys=True, default=str),
                "checkpoint_sha256": checkpoint_sha256,
                "preprocessing_hash": preprocessing_hash,
                "split_name": split_name,
                "data_sha256": data_sha256,
                "code_version": code_version,
                "seed": seed,
                "created_at": created_at or now(),
                "withdrawn_people": mark.num_people if mark is not None else None,
            },
        )

    def put_embeddings(
        self,
        run: str,
        modality: str,
        space: str,
        patients: Sequence[str],
        visits: Sequence[int],
        vectors: Float32[Array, "vector dim"],
        *,
        checkpoint_sha256: str | None = None,
    ) -> None:
        """Add or replace embeddings of `modality` ("ecg", "cmr") in `space` of `run`.

        `space` is "pooled" (the encoder's mean token) or "projected" (the shared space).
        Raises CohortError for vectors that `check_vectors` refuses, doubled patient-visits,
        another width than the set has already, or a run that `put_run` has not recorded.
        """
        where = f"embeddings of {modality} ({space})"
        if modality not in MODALITIES or space not in SPACES:
            raise CohortError(
                f"embeddings: expected modality in {MODALITIES} and space in {SPACES}, "
                f"got {modality!r} and {space!r}"
            )
        if not self._tables.ask("SELECT count(*) FROM runs WHERE run = ?", [run]):
            raise CohortError(f"{where}: run {run!r} is not in the store; call put_run first")
        single = check_vectors(vectors, where=where)
        if not len(patients) == len(visits) == single.shape[0]:
            raise CohortError(
                f"{where}: expected as many patients and visits as vectors, "
                f"got {len(patients)}, {len(visits)} and {single.shape[0]}"
            )
        keys = dict.fromkeys(zip(map(str, patients), map(int, visits), strict=True))
        if len(keys) != single.shape[0]:
            raise CohortError(f"{where}: a patient's visit comes more than once")
        with readable_errors(self._file):
            refuse_erased(self._connection, self._layout, {row_key[0] for row_key in keys})
            key = EmbeddingKey(run, modality, space)
            self._merge_embeddings(key, list(keys), single, checkpoint_sha256)

    def put_evaluation(
        self,
        run: str,
        table: "pa.Table",
        *,
        document: Mapping[str, Any] | None = None,
        predictions: "pa.Table | None" = None,
        retrieval: "pa.Table | None" = None,
    ) -> int:
        """Replace a run's evaluation: figures as rows, and the document as it was printed.

        `predictions` and `retrieval` are the same patient by patient.
        """
        num_rows = self._tables.replace_run("evaluation_results", run, table)
        for name, by_patient in (
            ("evaluation_predictions", predictions),
            ("evaluation_retrieval", retrieval),
        ):
            if by_patient is not None:
                self._tables.replace_run(name, run, by_patient)
        if document is not None:
            row = {"run": run, "document_json": json.dumps(document), "created_at": now()}
            self._tables.put_row("evaluation_documents", row)
        return num_rows

    def put_alignment_maps(
        self,
        run: str,
        patients: Sequence[str],
        visits: Sequence[int],
        maps: Float32[Array, "visit 13 13"],
    ) -> int:
        """Replace a run's maps of ECG steps against CMR steps; returns the number of rows."""
        return self._tables.replace_run(
            "alignment_maps", run, build_map_table(run, patients, visits, maps)
        )

    def add_alignment_maps(
        self,
        run: str,
        patients: Sequence[str],
        visits: Sequence[int],
        maps: Float32[Array, "visit 13 13"],
    ) -> int:
        """Add or replace the maps of some visits; returns the number of rows."""
        return self._tables.put("alignment_maps", build_map_table(run, patients, visits, maps))

    def put_health(self, run: str, learned: Mapping[str, bool], *, is_control: bool) -> None:
        """Replace the verdicts on a run's stages; `latest_run` leaves out what has not learned.

        `learned` is by stage, `is_control` of a run that was trained as a negative control.
        """
        import pyarrow as pa

        with readable_errors(self._file):
            execute(
                self._connection,
                "DELETE FROM evaluation_results WHERE run = ? AND section = 'health'",
                [run],
            )
        rows = [(stage, "learned", float(value)) for stage, value in learned.items()]
        rows.append(("align", "is_control", float(is_control)))
        columns: dict[str, object] = {
            "run": [run] * len(rows),
            "section": ["health"] * len(rows),
            "variant": [stage for stage, _, _ in rows],
            "modality": [""] * len(rows),
            "phenotype": [""] * len(rows),
            "metric": [metric for _, metric, _ in rows],
            "value": pa.array([value for _, _, value in rows], pa.float64()),
            "low": pa.array([None] * len(rows), pa.float64()),
            "high": pa.array([None] * len(rows), pa.float64()),
        }
        self._tables.put("evaluation_results", pa.table(columns))

    def find_erased(self, patients: Sequence[str]) -> set[str]:
        """Those of `patients` that were erased: leave them out, every `put_` refuses them."""
        with readable_errors(self._file):
            return find_erased(self._connection, self._layout, patients)

    def put_audit(self, action: str, **details: Any) -> None:
        """Queue an entry of the audit log, written when the store has been published."""
        self.audit_entries.append((action, details))

    def count(self, table: str) -> int:
        """Rows of `table` as written so far."""
        return int(self._tables.ask(f'SELECT count(*) FROM "{TABLE_BY_NAME[table].name}"'))

    def _merge_embeddings(
        self,
        key: EmbeddingKey,
        keys: list[tuple[str, int]],
        vectors: Float32[Array, "vector dim"],
        checkpoint_sha256: str | None,
    ) -> None:
        old_keys, old_vectors = read_vectors(self._connection, key)
        if old_keys and old_vectors.shape[1] != vectors.shape[1]:
            raise CohortError(
                f"embeddings of {key.modality} ({key.space}): expected width "
                f"{old_vectors.shape[1]} as stored for this run, got {vectors.shape[1]}; "
                "embed under another run"
            )
        known = set(keys)
        kept = [index for index, old_key in enumerate(old_keys) if old_key not in known]
        if kept:
            keys = keys + [old_keys[index] for index in kept]
            vectors = np.concatenate([vectors, old_vectors[kept]])
        order = sorted(range(len(keys)), key=keys.__getitem__)
        keys, vectors = [keys[index] for index in order], vectors[order]
        patients, visits = [row_key[0] for row_key in keys], [row_key[1] for row_key in keys]
        write_vectors(self._connection, key, patients, visits, vectors)
        self._tables.put_row(
            "embedding_sets",
            {
                **key._asdict(),
                "dim": vectors.shape[1],
                "num_vectors": vectors.shape[0],
                "fingerprint": compute_fingerprint(patients, visits, vectors),
                "checkpoint_sha256": checkpoint_sha256,
                "created_at": now(),
            },
        )
