"""Read-outs made anew from embeddings that are stored: after people left whom they had seen."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array, Int64
from ptacl_core.cohort import Cohort, CohortLayout
from ptacl_core.embedding.predictions import put_predictions
from ptacl_core.embedding.readout import DOCUMENT_FILE
from ptacl_core.embedding.readout_fit import READOUT_FOLDER, fit_run_readout
from ptacl_core.embedding.target_fit import fit_run_targets
from ptacl_core.errors import CohortError
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.runs.lineage import record_start
from ptacl_core.shards import ShardReader


def refit_readouts(cohort_dir: Path, *, progress: ProgressSink = SILENT) -> list[str]:
    """Fit the read-outs of embedded runs that have none, and predict everybody anew.

    An erasure removes those that had seen the people who left. Returns the runs that have one
    now; a run with too few people left for it is said, and `ptacl embed` tells more. Raises
    CohortError when the store or a read-out cannot be written.
    """
    layout = CohortLayout(cohort_dir.absolute())
    with Cohort.open(layout.root) as cohort:
        embedded = {
            str(run): str(sha256)
            for run, sha256 in cohort.fetch(
                "SELECT run, checkpoint_sha256 FROM embedding_sets "
                "WHERE modality = 'ecg' AND space = 'pooled' AND checkpoint_sha256 IS NOT NULL"
            )
        }
    fitted = []
    for run, checkpoint_sha256 in sorted(embedded.items()):
        folder = layout.runs / run
        if not folder.is_dir() or (folder / READOUT_FOLDER / DOCUMENT_FILE).exists():
            continue
        try:
            _refit(layout, run, checkpoint_sha256, progress)
        except CohortError as error:
            progress.say(
                f"run {run}: its read-out had seen people who left, and could not be fitted "
                f"without them: {error}"
            )
            continue
        progress.say(f"run {run}: its read-out is fitted anew, without the people who left")
        fitted.append(run)
    return fitted


def _refit(layout: CohortLayout, run: str, checkpoint_sha256: str, progress: ProgressSink) -> None:
    with ShardReader.open(layout.root) as reader:
        with Cohort.open(layout.root) as cohort:
            embeddings = cohort.embeddings(run, "ecg", "pooled")
        rows, at = _match_rows(reader, embeddings.patients, embeddings.visits)
        pooled = embeddings.vectors[at]
        record_start(
            layout.root,
            run=run,
            stage=READOUT_FOLDER,
            people=[reader.patients[row] for row in rows if reader.splits[row] != "test"],
            data_sha256=reader.manifest_sha256,
            progress=progress,
        )
        readout = fit_run_readout(reader, rows, pooled, checkpoint_sha256)
        with Cohort.open(layout.root) as cohort:
            targets = fit_run_targets(cohort, reader, rows, pooled, checkpoint_sha256)
        with Cohort.write(layout.root, purpose=f"refit {run}", waits=True) as writer:
            put_predictions(writer, reader, rows, pooled, readout, targets, run)
        targets.save(layout.runs / run / READOUT_FOLDER)
        readout.save(layout.runs / run / READOUT_FOLDER)


def _match_rows(
    reader: ShardReader, patients: Sequence[str], visits: Int64[Array, " vector"]
) -> tuple[Int64[Array, " row"], Int64[Array, " row"]]:
    """Rows of the manifest that have a vector, rising, and where each one's vector stands."""
    place = {key: at for at, key in enumerate(zip(patients, map(int, visits), strict=True))}
    pairs = [
        (row, place[key])
        for row, key in enumerate(zip(reader.patients, map(int, reader.visits), strict=True))
        if key in place
    ]
    rows, at = np.array(pairs, np.int64).reshape(-1, 2).T
    return rows, at
