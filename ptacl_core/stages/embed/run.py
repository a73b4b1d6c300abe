"""Embeddings, alignment maps and predictions of a whole cohort, into the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.alignment_maps import FORMER_FILE_NAME
from ptacl_core.embedding.cohort_features import CohortFeatures
from ptacl_core.embedding.part_files import Part
from ptacl_core.embedding.predictions import put_predictions
from ptacl_core.embedding.readout import ReadOut
from ptacl_core.embedding.readout_fit import READOUT_FOLDER, fit_run_readout
from ptacl_core.embedding.target_fit import fit_run_targets
from ptacl_core.embedding.target_readout import TargetReadOut, load_targets_of
from ptacl_core.errors import ConfigError
from ptacl_core.ingest.new_files import add_files
from ptacl_core.ingest.register import SPLIT_NAME
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.runs.choose import TrainedRun, check_preprocessing, load_trained_run
from ptacl_core.runs.health import is_control, learned_stages
from ptacl_core.runs.lineage import record_start, refuse_withdrawn
from ptacl_core.runs.vectors import open_reader
from ptacl_core.shards import ShardReader
from ptacl_core.stages.embed.install import install, is_packed
from ptacl_core.stages.embed.parts import (
    encode_cohort,
    gather_parts,
    keep_features,
    remove_parts,
    write_part,
)


class EmbedReport(TypedDict):
    """The JSON document of `ptacl embed`."""

    run: str
    ecg: int
    cmr: int
    dim: int


@dataclass(frozen=True, slots=True)
class EmbedSummary:
    """What `ptacl embed` reports."""

    run: str
    ecg: int
    cmr: int
    dim: int

    def as_dict(self) -> EmbedReport:
        """The JSON document."""
        return {"run": self.run, "ecg": self.ecg, "cmr": self.cmr, "dim": self.dim}


def run(
    cohort_dir: Path,
    *,
    run: str | None = None,
    model: Path | None = None,
    files: Sequence[Path] = (),
    device: str = "auto",
    progress: ProgressSink = SILENT,
) -> EmbedSummary:
    """Embed every recording of the cohort with `run` (None: the latest), predict, publish.

    The read-out is fitted here: probe on train, intervals and thresholds on validation. `model`
    is a packed file, which becomes a run of the cohort first; its read-out stays as it is.
    `files` are added to the cohort first, preprocessed as its others were.
    Raises CohortError, ShardError or CheckpointError when one of them does not fit.
    """
    if model is not None:
        if run is not None:
            raise ConfigError("--run names a run of the cohort, --model a packed file: give one")
        run = install(cohort_dir, model, progress)
    aligned = load_trained_run(cohort_dir, run, device=device)
    if files:
        add_files(cohort_dir, files, aligned.preprocessing, progress=progress)
    with open_reader(cohort_dir, aligned.settings) as reader:
        check_preprocessing(aligned, reader.preprocessing_hash)
        refuse_withdrawn(cohort_dir, reader.patients, progress)
        features = encode_cohort(reader, aligned, progress=progress)
        return _finish(cohort_dir, reader, aligned, features, progress)


def run_part(
    cohort_dir: Path,
    part: Part,
    *,
    run: str | None = None,
    device: str = "auto",
    progress: ProgressSink = SILENT,
) -> EmbedSummary:
    """Embed one part of the cohort into runs/<run>/embedding-parts/, beside other jobs.

    A part that is there already is kept, so that a job can be repeated. Raises as `run`.
    """
    aligned = load_trained_run(cohort_dir, run, device=device)
    with open_reader(cohort_dir, aligned.settings) as reader:
        check_preprocessing(aligned, reader.preprocessing_hash)
        return _summarise(aligned, write_part(reader, aligned, part, progress=progress))


def merge(
    cohort_dir: Path, *, run: str | None = None, progress: ProgressSink = SILENT
) -> EmbedSummary:
    """Publish the parts that `run_part` made as `run` would have done, and remove them.

    Raises CohortError that names the parts missing, damaged or made for another state of the
    cohort or the run; the store is left as it was.
    """
    aligned = load_trained_run(cohort_dir, run, device="cpu")
    with open_reader(cohort_dir, aligned.settings) as reader:
        check_preprocessing(aligned, reader.preprocessing_hash)
        features = gather_parts(reader, aligned)
        summary = _finish(cohort_dir, reader, aligned, features, progress)
        keep_features(reader, aligned, features)
    remove_parts(aligned.directory)
    return summary


def _finish(
    cohort_dir: Path,
    reader: ShardReader,
    aligned: TrainedRun,
    features: CohortFeatures,
    progress: ProgressSink,
) -> EmbedSummary:
    """Fit and store the read-out, publish everything."""
    refuse_withdrawn(cohort_dir, reader.patients, progress)
    folder = aligned.directory / READOUT_FOLDER
    if is_packed(aligned.directory):
        readout = ReadOut.load(folder)
    else:
        readout = _fit_readout(cohort_dir, reader, aligned, features, progress)
    targets = load_targets_of(folder, aligned.checkpoint_sha256, coverage=readout.coverage)
    for name, why in targets.unfitted.items():
        progress.say(f"target {name} is not predicted: {why}")
    _publish(cohort_dir, reader, aligned, readout, targets, features)
    (aligned.directory / FORMER_FILE_NAME).unlink(missing_ok=True)
    return _summarise(aligned, features)


def _fit_readout(
    cohort_dir: Path,
    reader: ShardReader,
    aligned: TrainedRun,
    features: CohortFeatures,
    progress: ProgressSink,
) -> ReadOut:
    """Fit on training and validation people, whom the lineage records first, and store."""
    record_start(
        cohort_dir,
        run=aligned.name,
        stage=READOUT_FOLDER,
        people=[reader.patients[row] for row in features.ecg_rows if reader.splits[row] != "test"],
        data_sha256=reader.manifest_sha256,
        progress=progress,
    )
    readout = fit_run_readout(
        reader, features.ecg_rows, features.ecg.pooled, aligned.checkpoint_sha256
    )
    with Cohort.open(cohort_dir) as cohort:
        targets = fit_run_targets(
            cohort, reader, features.ecg_rows, features.ecg.pooled, aligned.checkpoint_sha256
        )
    targets.save(aligned.directory / READOUT_FOLDER)
    readout.save(aligned.directory / READOUT_FOLDER)
    return readout


def _summarise(aligned: TrainedRun, features: CohortFeatures) -> EmbedSummary:
    return EmbedSummary(
        aligned.name, len(features.ecg_rows), len(features.cmr_rows), aligned.ecg_encoder.dim
    )


def _publish(
    cohort_dir: Path,
    reader: ShardReader,
    aligned: TrainedRun,
    readout: ReadOut,
    targets: TargetReadOut,
    encoded: CohortFeatures,
) -> None:
    ecg, cmr = (encoded.ecg_rows, encoded.ecg), (encoded.cmr_rows, encoded.cmr)
    with Cohort.write(cohort_dir, purpose=f"embed {aligned.name}", waits=True) as writer:
        writer.put_run(
            aligned.name,
            kind=aligned.stage,
            config=aligned.settings.model_dump(mode="json"),
            checkpoint_sha256=aligned.checkpoint_sha256,
            preprocessing_hash=reader.preprocessing_hash,
            split_name=SPLIT_NAME,
            data_sha256=aligned.data_sha256,
            code_version=aligned.code_version,
            seed=aligned.settings.seed,
        )
        for modality, (rows, features) in (("ecg", ecg), ("cmr", cmr)):
            if modality not in aligned.modalities:
                continue
            patients = [reader.patients[row] for row in rows]
            visits = [reader.visits[row] for row in rows]
            assert features.projected is not None
            for space, vectors in (("pooled", features.pooled), ("projected", features.projected)):
                writer.put_embeddings(
                    aligned.name,
                    modality,
                    space,
                    patients,
                    visits,
                    vectors,
                    checkpoint_sha256=aligned.checkpoint_sha256,
                )
        pairs = encoded.pair_rows
        if "cmr" in aligned.modalities and aligned.vectors is None:
            writer.put_alignment_maps(
                aligned.name,
                [reader.patients[row] for row in pairs],
                [int(reader.visits[row]) for row in pairs],
                encoded.similarity,
            )
        writer.put_health(
            aligned.name,
            learned_stages(aligned.directory),
            is_control=is_control(aligned.settings),
        )
        writer.put_audit("embed", run=aligned.name, checkpoint_sha256=aligned.checkpoint_sha256)
        put_predictions(
            writer, reader, encoded.ecg_rows, encoded.ecg.pooled, readout, targets, aligned.name
        )
