"""Frozen features in scikit-learn's conventions, so that a probe of one's own is three lines."""

from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ptacl_core.api.inputs import EcgSources
from ptacl_core.api.model import load_model
from ptacl_core.arrays import Array, Float32


class PtaclFeatures(TransformerMixin, BaseEstimator):
    """A transformer from ECGs to a model's features; nothing is trained.

    Args:
        model: packed file (`NAME.ptacl`) or cohort directory.
        run: run of the cohort directory; None: its latest.
        space: "pooled" (for probes) or "projected" (the space of retrieval).
        sampling_rate_hz: of arrays [recording, 12, sample] in mV.
        on_error: "raise", or "nan" for a row of NaN in the place of an ECG that cannot be used.
        device: auto, cpu, cuda or cuda:N.
    """

    def __init__(
        self,
        model: str | Path = "model.ptacl",
        *,
        run: str | None = None,
        space: Literal["pooled", "projected"] = "pooled",
        sampling_rate_hz: float | None = None,
        on_error: Literal["raise", "nan"] = "raise",
        device: str = "auto",
    ) -> None:
        self.model = model
        self.run = run
        self.space: Literal["pooled", "projected"] = space
        self.sampling_rate_hz = sampling_rate_hz
        self.on_error: Literal["raise", "nan"] = on_error
        self.device = device

    def fit(self, X: EcgSources | None = None, y: object = None) -> Self:  # noqa: N803, ARG002
        """Load the model; `X` and `y` are not looked at. Raises BundleError, CheckpointError."""
        self.model_ = load_model(self.model, run=self.run, device=self.device)
        return self

    def transform(self, X: EcgSources) -> Float32[Array, "recording dim"]:  # noqa: N803
        """Features of ECGs: files, records, or an array in mV. Raises RecordError."""
        check_is_fitted(self, "model_")
        features = self.model_.embed(
            X,
            space=self.space,
            sampling_rate_hz=self.sampling_rate_hz,
            on_error=self.on_error,
        )
        self.n_features_out_ = features.shape[1]
        return features

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:  # noqa: ARG002
        """`ptacl0`, `ptacl1` …, after `transform`."""
        check_is_fitted(self, "n_features_out_")
        return np.asarray([f"ptacl{at}" for at in range(self.n_features_out_)], dtype=object)

    def __sklearn_tags__(self) -> Any:
        """Takes recordings, not rows of numbers, and learns nothing from them."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        tags.requires_fit = True
        return tags
