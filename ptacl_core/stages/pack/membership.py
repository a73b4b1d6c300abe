"""How well what a packed model answers tells its training people from held-out ones.

Figures by what somebody must already hold of a person: the ECG (outlier score), the ECG and the
measured phenotypes or targets (loss of the read-outs), the ECG and the cine (similarity of the
pair).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array, Bool, Float64
from ptacl_core.cohort import Cohort
from ptacl_core.documents.bundle import Membership
from ptacl_core.documents.figures import Bounded
from ptacl_core.embedding.readout import ReadOut
from ptacl_core.embedding.target_labels import load_target_labels
from ptacl_core.embedding.target_readout import TargetReadOut
from ptacl_core.errors import CohortError
from ptacl_core.evaluate import rank_events
from ptacl_core.shards import ShardReader

ACCEPTED_AUC = 0.55
"""A figure whose whole interval lies above tells members from others."""
MIN_PEOPLE = 10


def measure_membership(
    cohort_dir: Path,
    reader: ShardReader,
    run: str,
    readout: ReadOut,
    targets: TargetReadOut,
    *,
    with_cine: bool,
) -> tuple[Membership, ...]:
    """Areas under the curve with DeLong's intervals, training people against those of test.

    Only of recordings that the run has embedded; empty where fewer than ten people are on
    either side. Raises CohortError when the run was not embedded.
    """
    with Cohort.open(cohort_dir) as cohort:
        own = load_target_labels(cohort, reader, np.arange(reader.num_rows))
        pooled = cohort.embeddings(run, "ecg", "pooled")
        pairs = {}
        if with_cine:
            for modality in ("ecg", "cmr"):
                embeddings = cohort.embeddings(run, modality, "projected")
                keys = zip(embeddings.patients, embeddings.visits.tolist(), strict=True)
                pairs[modality] = dict(zip(keys, embeddings.vectors, strict=True))
    place = {
        (patient, int(visit)): row
        for row, (patient, visit) in enumerate(zip(reader.patients, reader.visits, strict=True))
    }
    keys = list(zip(pooled.patients, pooled.visits.tolist(), strict=True))
    if any(key not in place for key in keys):
        raise CohortError(f"run {run}: its embeddings are of other recordings; embed it again")
    rows = np.asarray([place[key] for key in keys], np.int64)
    splits = np.asarray([reader.splits[row] for row in rows])
    features = pooled.vectors.astype(np.float64)
    figures = [("outlier score", "the ECG", -readout.detector.score(features))]
    if readout.names:
        loss = _average_errors(readout.probe.predict(features), reader.phenotypes(rows))
        figures.append(("loss of the read-out", "the ECG and the measured phenotypes", -loss))
    if targets.fitted:
        predicted = targets.predict(features, groups=["all"] * len(rows))
        columns = [own.targets.index(answer.target) for answer in predicted]
        loss = _average_errors(
            np.stack([answer.value for answer in predicted], axis=1), own.values[rows][:, columns]
        )
        figures.append(("loss of the targets", "the ECG and the measured targets", -loss))
    if with_cine:
        similarity = _compare_pairs(keys, pairs["ecg"], pairs["cmr"])
        figures.append(("similarity of ECG and cine", "the ECG and the cine", similarity))
    measured = [_rank(name, needs, score, splits) for name, needs, score in figures]
    return tuple(figure for figure in measured if figure is not None)


def _average_errors(
    predicted: Float64[Array, "recording target"], labels: Float64[Array, "recording target"]
) -> Float64[Array, " recording"]:
    """Mean squared error in variances of the labels; NaN of a recording without any."""
    is_any = np.isfinite(labels).any(axis=0)
    spread = np.nanstd(labels[:, is_any], axis=0)
    errors = np.square((predicted - labels)[:, is_any] / np.where(spread > 0, spread, 1))
    is_known = np.isfinite(errors).any(axis=1)
    loss = np.full(len(labels), np.nan)
    loss[is_known] = np.nanmean(errors[is_known], axis=1)
    return loss


def find_telling(measured: Sequence[Membership]) -> list[Membership]:
    """Those that tell members from others beyond chance: the whole interval above 0.55."""
    return [figure for figure in measured if (figure.auc.low or 0.0) > ACCEPTED_AUC]


def _compare_pairs(
    keys: list[tuple[str, int]],
    ecgs: dict[tuple[str, int], Array],
    cines: dict[tuple[str, int], Array],
) -> Float64[Array, " recording"]:
    """Cosine of a recording's two embeddings; NaN without both."""
    return np.asarray(
        [float(ecgs[key] @ cines[key]) if key in ecgs and key in cines else np.nan for key in keys]
    )


def _rank(
    name: str, needs: str, score: Float64[Array, " recording"], splits: np.ndarray
) -> Membership | None:
    known: Bool[Array, " recording"] = np.isfinite(score) & np.isin(splits, ("train", "test"))
    is_member = splits[known] == "train"
    counts = int(is_member.sum()), int((~is_member).sum())
    if min(counts) < MIN_PEOPLE:
        return None
    ranking = rank_events(is_member, score[known])
    half = 1.96 * ranking.standard_error
    bounded = Bounded(
        value=ranking.auc, low=max(ranking.auc - half, 0.0), high=min(ranking.auc + half, 1.0)
    )
    return Membership(figure=name, auc=bounded, training=counts[0], held_out=counts[1], needs=needs)
