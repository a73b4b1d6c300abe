"""What the aligned encoders say of the patients of each split."""

from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64, Modality
from ptacl_core.embedding.encoding import Features
from ptacl_core.embedding.patients import EvaluationSplit
from ptacl_core.embedding.rows import encode_rows
from ptacl_core.evaluate import fit_linear_probe
from ptacl_core.progress import ProgressSink
from ptacl_core.runs.choose import AlignedRun
from ptacl_core.shards import ShardReader


@dataclass(frozen=True, slots=True, eq=False)
class AlignedFeatures:
    """Features of training and test pairs, and of the validation ECGs."""

    ecg_train: Features
    cmr_train: Features
    ecg_test: Features
    cmr_test: Features
    validation_pooled: Float32[Array, "validation dim"]

    def pooled(self, modality: Modality) -> tuple[Array, Array]:
        """Pooled features of train and test."""
        if modality == "ecg":
            return self.ecg_train.pooled, self.ecg_test.pooled
        return self.cmr_train.pooled, self.cmr_test.pooled

    def pairs(self) -> tuple[tuple[Features, Features], tuple[Features, Features]]:
        """ECG and cine features, of train and of test."""
        return (self.ecg_train, self.cmr_train), (self.ecg_test, self.cmr_test)

    def projected_test(
        self,
    ) -> tuple[Float32[Array, "patient embedding"], Float32[Array, "patient embedding"]]:
        """Embeddings of the test pairs in the shared space, ECG and CMR."""
        assert self.ecg_test.projected is not None
        assert self.cmr_test.projected is not None
        return self.ecg_test.projected, self.cmr_test.projected


def encode_aligned(
    reader: ShardReader,
    aligned: AlignedRun,
    train: EvaluationSplit,
    validation: EvaluationSplit,
    test: EvaluationSplit,
    progress: ProgressSink,
    *,
    with_train_steps: bool = False,
) -> AlignedFeatures:
    """Encode each recording once; the steps of a beat for test, and for train when asked."""

    def encode(modality: Modality, split: EvaluationSplit) -> Features:
        return encode_rows(
            reader,
            split.rows,
            modality,
            *aligned.tower(modality),
            aligned.view,
            with_steps=split is test or (with_train_steps and split is train),
            task=f"aligned {modality}",
            progress=progress,
        )

    ecg_train = encode("ecg", train)
    return AlignedFeatures(
        ecg_train=ecg_train,
        cmr_train=encode("cmr", train),
        ecg_test=encode("ecg", test),
        cmr_test=encode("cmr", test),
        validation_pooled=encode("ecg", validation).pooled
        if len(validation)
        else np.empty((0, ecg_train.pooled.shape[1]), np.float32),
    )


def find_residuals(
    features: AlignedFeatures, train: EvaluationSplit, validation: EvaluationSplit
) -> Float64[Array, "validation target"]:
    """Observed minus predicted of the aligned ECG's probe on validation, NaN without a label."""
    probe = fit_linear_probe(features.ecg_train.pooled, train.phenotypes)
    return validation.phenotypes - probe.predict(features.validation_pooled)
