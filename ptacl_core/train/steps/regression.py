"""The step of fine-tuning and supervised training: targets from one modality."""

from collections.abc import Mapping, Sequence

import torch

from ptacl_core.losses import masked_event_terms, masked_target_terms
from ptacl_core.models import Regressor
from ptacl_core.tensors import Tensor
from ptacl_core.train.batches import Batch
from ptacl_core.train.beat_views import BeatViews
from ptacl_core.train.distributed import share_of_mean
from ptacl_core.train.randomness import StepRandomness
from ptacl_core.train.step import Encoded, StepOutput, TrainingStep, Views
from ptacl_core.train.steps.pretraining import draw_views
from ptacl_core.train.views import CineViews, EcgViews


class RegressionStep(TrainingStep):
    """Squared error and log loss over the targets that are present, all processes counted.

    `shares` has the share of training patients of each binary target, None of z-scored ones; all
    are z-scored without it. Predictions of binary targets begin at their shares.
    """

    def __init__(
        self,
        model: Regressor,
        views: EcgViews | BeatViews | CineViews,
        *,
        shares: Sequence[float | None] = (),
    ):
        super().__init__()
        self.model = model
        self.views = views
        events = [at for at, share in enumerate(shares) if share is not None]
        values = [at for at, share in enumerate(shares) if share is None]
        known = torch.tensor([share for share in shares if share is not None])
        self._has_events = bool(events)
        # not part of the checkpoint: measured from the cohort whenever the stage begins
        self.register_buffer("_shares", known, persistent=False)
        # on the device, since a list of columns would be copied there at every step
        self.register_buffer("_events", torch.tensor(events, dtype=torch.long), persistent=False)
        self.register_buffer("_values", torch.tensor(values, dtype=torch.long), persistent=False)
        self._shares: Tensor
        self._events: Tensor
        self._values: Tensor
        if events:
            with torch.no_grad():
                model.head.linear.bias[events] = torch.logit(known)

    def draw_tensors(self, batch: Batch, draws: StepRandomness) -> dict[str, Tensor]:
        """A view of each recording, and its targets."""
        assert batch.targets is not None
        recordings = draw_views(self.views, batch, draws, is_training=self.training)
        return {"recordings": recordings, "targets": batch.targets}

    def encode_rows(self, tensors: Mapping[str, Tensor]) -> Encoded:
        """Predicted targets."""
        return {"prediction": self.model(tensors["recordings"])}

    def measure(self, encoded: Encoded, views: Views) -> StepOutput:
        """The loss; 1 is what predicting the training mean costs."""
        return StepOutput(
            share_of_mean(*self._measure_terms(encoded["prediction"], views.tensors["targets"]))
        )

    def cost_of_means(self, targets: Tensor) -> Tensor:
        """The loss of predicting every target's training mean or share; 1 where none is known."""
        means = torch.zeros_like(targets)
        if self._has_events:
            means[:, self._events] = torch.logit(self._shares.to(targets))
        total, count = self._measure_terms(means.double(), targets.double())
        return torch.where(count > 0, total / count.clamp(min=1), 1.0)

    def _measure_terms(self, predicted: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        if not self._has_events:
            return masked_target_terms(predicted, targets)
        events = masked_event_terms(
            predicted.index_select(1, self._events),
            targets.index_select(1, self._events),
            self._shares,
        )
        values = masked_target_terms(
            predicted.index_select(1, self._values), targets.index_select(1, self._values)
        )
        return events[0] + values[0], events[1] + values[1]
