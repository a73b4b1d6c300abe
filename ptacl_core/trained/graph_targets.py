"""A cohort's own targets as a part of a graph: values and probabilities with their intervals."""

import numpy as np
import torch
from torch import nn

from ptacl_core.embedding.target_readout import FittedTarget, TargetReadOut
from ptacl_core.evaluate.conformal import POOLED
from ptacl_core.tensors import Float, Tensor


class OwnTargetsGraph(nn.Module):
    """`TargetReadOut.predict` of one recording, with the intervals of all people."""

    def __init__(self, readout: TargetReadOut) -> None:
        super().__init__()
        self.parts = nn.ModuleList(
            [OwnTarget(fitted, readout.coverage) for fitted in readout.fitted]
        )

    def forward(self, pooled: Float[Tensor, "1 dim"]) -> Float[Tensor, "target 3"]:
        """Value, low and high of each target; there is at least one."""
        return torch.stack([part(pooled) for part in self.parts])


class OwnTarget(nn.Module):
    """One target: a line with offsets inside its range, or a calibrated probability."""

    coefficients: Tensor
    offsets: Tensor
    line: Tensor
    covariance: Tensor

    def __init__(self, fitted: FittedTarget, coverage: float) -> None:
        super().__init__()
        from scipy.special import ndtri

        calibration = fitted.calibration
        self.is_binary = calibration is not None
        self.intercept = fitted.probe.intercept
        self.low, self.high = fitted.target.low, fitted.target.high
        self.reach = float(ndtri(0.5 * (1.0 + coverage)))
        self.centre, self.scale = 0.0, 1.0
        line, covariance = np.zeros(2), np.zeros((2, 2))
        if calibration is not None:
            self.centre, self.scale = calibration.centre, calibration.scale
            line, covariance = calibration.line, calibration.covariance
        for name, values in (
            ("coefficients", fitted.probe.coefficients),
            ("offsets", fitted.offsets[fitted.groups.index(POOLED)]),
            ("line", line),
            ("covariance", covariance),
        ):
            self.register_buffer(name, torch.from_numpy(np.array(values, np.float64)))

    def forward(self, pooled: Float[Tensor, "1 dim"]) -> Float[Tensor, "3"]:
        """Value, low and high."""
        score = (pooled @ self.coefficients + self.intercept)[0]
        if not self.is_binary:
            bounds = torch.stack((score, score - self.offsets[0], score + self.offsets[1]))
            if self.low is not None:
                bounds = bounds.clamp(min=self.low)
            return bounds if self.high is None else bounds.clamp(max=self.high)
        design = torch.stack((torch.ones_like(score), (score - self.centre) / self.scale))
        middle = (design * self.line).sum()
        variance = (design[:, None] * self.covariance * design[None, :]).sum()
        half = self.reach * variance.clamp(min=0.0).sqrt()
        return torch.sigmoid(torch.stack((middle, middle - half, middle + half)))
