"""An ECG encoder of your own as a row: signals in, features out; frozen, measured by a probe.

    ptacl evaluate COHORT --encoder own_encoder.py:encode

Here a small convolutional torch module with random weights: put your own in its place.
"""

import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
NETWORK = nn.Sequential(
    nn.Conv1d(12, 32, kernel_size=15, stride=5), nn.GELU(),
    nn.Conv1d(32, 64, kernel_size=15, stride=5), nn.GELU(),
    nn.AdaptiveAvgPool1d(1), nn.Flatten(),
).eval()  # fmt: skip


@torch.no_grad()
def encode(signals: np.ndarray, sampling_rate_hz: float) -> np.ndarray:
    """Features [patient, 64] of prepared ECGs [patient, 12, sample]."""
    if sampling_rate_hz != 500.0:
        raise ValueError(f"this network was made for 500 Hz, not {sampling_rate_hz} Hz")
    return NETWORK(torch.from_numpy(signals)).numpy()


if __name__ == "__main__":
    features = encode(np.random.default_rng(0).normal(size=(4, 12, 5000)).astype(np.float32), 500.0)
    print(f"features {features.shape}, the same for the same signal:")
    print(np.round(features[0, :4], 4))
