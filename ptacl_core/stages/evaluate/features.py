"""What the aligned encoders say of the patients of each split."""

from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64, Modality
from ptacl_core.embedding.encoding import Features
from ptacl_core.embedding.feature_cache import open_caches
from ptacl_core.embedding.patients import EvaluationSplit
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
    """Each recording encoded once, here or before; the steps of test, of train when asked."""
    caches = open_caches(reader, aligned)

    def find(modality: Modality, split: EvaluationSplit) -> Features:
        return caches[modality].find(
            split.rows,
            with_steps=split is test or (with_train_steps and split is train),
            task=f"aligned {modality}",
            progress=progress,
        )

    ecg_train = find("ecg", train)
    features = AlignedFeatures(
        ecg_train=ecg_train,
        cmr_train=find("cmr", train),
        ecg_test=find("ecg", test),
        cmr_test=find("cmr", test),
        validation_pooled=find("ecg", validation).pooled
        if len(validation)
        else np.empty((0, ecg_train.pooled.shape[1]), np.float32),
    )
    for cache in caches.values():
        cache.save()
    return features


def find_residuals(
    features: AlignedFeatures, train: EvaluationSplit, validation: EvaluationSplit
) -> Float64[Array, "validation target"]:
    """Observed minus predicted of the aligned ECG's probe on validation, NaN without a label."""
    probe = fit_linear_probe(features.ecg_train.pooled, train.phenotypes)
    return validation.phenotypes - probe.predict(features.validation_pooled)
