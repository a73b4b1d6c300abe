"""Rows of a split that a run's encoders can take."""

from ptacl_core.arrays import Array, Int64
from ptacl_core.preprocess.beat_spans import beat_spans
from ptacl_core.runs.folder import TrainingRun


def select_rows(run: TrainingRun, split: str, modalities: tuple[str, ...]) -> Int64[Array, " row"]:
    """Rows of `split` with every modality named.

    For an ECG encoder of the beat family, recordings without a complete beat are left out.
    """
    rows = run.reader.rows(split, needs=modalities)
    encoder = run.settings.ecg_encoder
    if "ecg" not in modalities or encoder.family != "beat" or len(rows) == 0:
        return rows
    spans = beat_spans(run.reader.r_peaks(rows), num_samples=encoder.num_samples)
    has_beat = spans[:, 0, 0] >= 0
    if not has_beat.all():
        run.progress.say(
            f"{int((~has_beat).sum())} of {len(rows)} ECGs of split {split} hold no complete "
            "beat and are left out: the encoder takes beats"
        )
    return rows[has_beat]
