"""Single files into a cohort that is embedded already: they alone are encoded."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array, Int64
from ptacl_core.cohort import Cohort
from ptacl_core.embedding.cohort_features import CohortFeatures, combine_features
from ptacl_core.embedding.encoding import Features
from ptacl_core.embedding.feature_cache import FeatureSource
from ptacl_core.embedding.predictions import put_predictions
from ptacl_core.embedding.readout import ReadOut
from ptacl_core.embedding.readout_fit import READOUT_FOLDER, find_stored_readout
from ptacl_core.embedding.target_readout import TargetReadOut, load_targets_of
from ptacl_core.ingest.new_files import add_files
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.runs.choose import TrainedRun, check_preprocessing, load_trained_run
from ptacl_core.runs.lineage import refuse_withdrawn
from ptacl_core.runs.vectors import open_reader
from ptacl_core.shards import ShardReader
from ptacl_core.stages.embed import run as embed
from ptacl_core.stages.embed.parts import MODALITIES, find_no_features

Hashes = Mapping[tuple[str, int], tuple[str | None, str | None]]
"""Hashes of ECG and CMR by patient and visit."""


def run(
    cohort_dir: Path,
    files: Sequence[Path],
    *,
    run: str | None = None,
    device: str = "auto",
    progress: ProgressSink = SILENT,
) -> embed.EmbedSummary:
    """Add `files` to the cohort and embed the visits that they changed with `run`.

    Their predictions come from the read-out that `ptacl embed` fitted; it is not fitted anew, and
    nobody else's row is touched. Where `run` has no read-out, or no embeddings in the store, the
    whole cohort is embedded. Raises as `embed.run`.
    """
    aligned = load_trained_run(cohort_dir, run, device=device)
    readout, reason = find_stored_readout(aligned)
    if readout is None or not _is_embedded(cohort_dir, aligned.name):
        progress.say(f"the whole cohort is embedded: {reason or 'it never was with this run'}")
        return embed.run(cohort_dir, run=run, files=files, device=device, progress=progress)
    before = _read_hashes(cohort_dir)
    add_files(cohort_dir, files, aligned.preprocessing, progress=progress)
    with open_reader(cohort_dir, aligned.settings) as reader:
        check_preprocessing(aligned, reader.preprocessing_hash)
        refuse_withdrawn(cohort_dir, reader.patients, progress)
        rows = _find_changed(reader, before)
        features = _encode(reader, aligned, rows, progress)
        folder = aligned.directory / READOUT_FOLDER
        targets = load_targets_of(folder, aligned.checkpoint_sha256, coverage=readout.coverage)
        _publish(cohort_dir, reader, aligned, readout, targets, features)
    return embed.EmbedSummary(
        aligned.name, len(features.ecg_rows), len(features.cmr_rows), aligned.ecg_encoder.dim
    )


def _is_embedded(cohort_dir: Path, run: str) -> bool:
    with Cohort.open(cohort_dir) as cohort:
        (counted,) = cohort.fetch("SELECT count(*) FROM predictions WHERE run = ?", [run])
    return bool(counted[0])


def _read_hashes(cohort_dir: Path) -> Hashes:
    with ShardReader.open(cohort_dir) as reader:
        return _hashes_of(reader)


def _hashes_of(reader: ShardReader) -> Hashes:
    columns = [reader.table.column(name).to_pylist() for name in ("ecg_sha256", "cmr_sha256")]
    keys = zip(reader.patients, map(int, reader.visits), strict=True)
    return dict(zip(keys, zip(*columns, strict=True), strict=True))


def _find_changed(reader: ShardReader, before: Hashes) -> Int64[Array, " row"]:
    now = _hashes_of(reader).items()
    changed = [row for row, (key, hashes) in enumerate(now) if before.get(key) != hashes]
    return np.array(changed, np.int64)


def _encode(
    reader: ShardReader,
    aligned: TrainedRun,
    rows: Int64[Array, " row"],
    progress: ProgressSink,
) -> CohortFeatures:
    held: list[tuple[Int64[Array, " row"], Features]] = []
    for modality in MODALITIES:
        theirs = np.intersect1d(rows, reader.rows(needs=(modality,)))
        if modality not in aligned.modalities:
            theirs = theirs[:0]
        if len(theirs):
            source = FeatureSource.of(aligned, modality)
            made = source.encode(reader, theirs, with_steps=True, task="embed", progress=progress)
        else:
            made = find_no_features(aligned, modality)
        held.append((theirs, made))
    (ecg_rows, ecg), (cmr_rows, cmr) = held
    return combine_features(ecg_rows, ecg, cmr_rows, cmr)


def _publish(
    cohort_dir: Path,
    reader: ShardReader,
    aligned: TrainedRun,
    readout: ReadOut,
    targets: TargetReadOut,
    features: CohortFeatures,
) -> None:
    def name(rows: Int64[Array, " row"]) -> tuple[list[str], list[int]]:
        return [reader.patients[row] for row in rows], [int(reader.visits[row]) for row in rows]

    with Cohort.write(cohort_dir, purpose=f"add to {aligned.name}", waits=True) as writer:
        for modality, rows, made in (
            ("ecg", features.ecg_rows, features.ecg),
            ("cmr", features.cmr_rows, features.cmr),
        ):
            if not len(rows):
                continue
            assert made.projected is not None
            for space, vectors in (("pooled", made.pooled), ("projected", made.projected)):
                writer.put_embeddings(
                    aligned.name, modality, space, *name(rows), vectors,
                    checkpoint_sha256=aligned.checkpoint_sha256,
                )  # fmt: skip
        if len(features.pair_rows):
            writer.add_alignment_maps(aligned.name, *name(features.pair_rows), features.similarity)
        if len(features.ecg_rows):
            put_predictions(
                writer, reader, features.ecg_rows, features.ecg.pooled, readout, targets,
                aligned.name,
            )  # fmt: skip
        writer.put_audit("embed", run=aligned.name, checkpoint_sha256=aligned.checkpoint_sha256)
