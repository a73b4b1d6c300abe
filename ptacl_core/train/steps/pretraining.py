"""Steps of single-modality pretraining: masked autoencoder and SimCLR."""

from collections.abc import Mapping

import torch

from ptacl_core.losses import mean_prediction_loss, nt_xent_loss
from ptacl_core.models import MaskedAutoencoder, SimclrModel
from ptacl_core.models.parts.masking import TokenMask, num_visible_tokens
from ptacl_core.tensors import Float, Tensor, move_to_device
from ptacl_core.train.batches import Batch
from ptacl_core.train.beat_views import BeatViews
from ptacl_core.train.distributed import gather_with_gradient
from ptacl_core.train.randomness import StepRandomness
from ptacl_core.train.step import Encoded, StepOutput, TrainingStep, Views
from ptacl_core.train.views import CineViews, EcgViews


class MaskedAutoencoderStep(TrainingStep):
    """Reconstruct what is hidden of one modality."""

    def __init__(self, autoencoder: MaskedAutoencoder, views: EcgViews | BeatViews | CineViews):
        super().__init__()
        self.autoencoder = autoencoder
        self.views = views

    def draw_tensors(self, batch: Batch, draws: StepRandomness) -> dict[str, Tensor]:
        """Patches of the views, and what is hidden of each.

        The mask of a recording depends on its place in the global batch, not on processes.
        """
        recordings = draw_views(self.views, batch, draws, is_training=self.training)
        encoder = self.autoencoder.encoder
        encoder.check_batch(recordings)
        noise = torch.rand(batch.global_size, encoder.num_tokens, generator=draws.shared)
        order = move_to_device(noise[batch.share], recordings.device).argsort(dim=1)
        return {
            "patches": encoder.layout.patchify(recordings),
            "order": order,
            "ids_restore": order.argsort(dim=1),
        }

    def encode_rows(self, tensors: Mapping[str, Tensor]) -> Encoded:
        """Predicted values of every token."""
        drawn = self._mask(tensors)
        return {"prediction": self.autoencoder.predict(tensors["patches"], drawn)}

    def measure(self, encoded: Encoded, views: Views) -> StepOutput:
        """The reconstruction loss; in evaluation also that of predicting the mean."""
        target = self.autoencoder.targets(views.tensors["patches"])
        mask = self._mask(views.tensors).mask
        loss = self.autoencoder.reconstruction_loss(encoded["prediction"], target, mask)
        if self.training:
            return StepOutput(loss)
        return StepOutput(loss, {"mean_prediction_loss": mean_prediction_loss(target, mask)})

    def _mask(self, tensors: Mapping[str, Tensor]) -> TokenMask:
        order, ids_restore = tensors["order"], tensors["ids_restore"]
        num_visible = num_visible_tokens(order.shape[1], self.autoencoder.mask_ratio)
        return TokenMask(order[:, :num_visible], ids_restore, ids_restore >= num_visible)


class SimclrStep(TrainingStep):
    """Two views of each recording find each other among all views."""

    num_views_per_row = 2

    def __init__(
        self, model: SimclrModel, views: EcgViews | BeatViews | CineViews, *, temperature: float
    ):
        super().__init__()
        self.model = model
        self.views = views
        self.temperature = temperature

    def draw_tensors(self, batch: Batch, draws: StepRandomness) -> dict[str, Tensor]:
        """Both views, which are always augmented."""
        return {
            name: draw_views(self.views, batch, draws, is_training=True)
            for name in ("first", "second")
        }

    def encode_rows(self, tensors: Mapping[str, Tensor]) -> Encoded:
        """Features of both views of each recording."""
        return {"views": self.model.features(tensors["first"], tensors["second"])}

    def measure(self, encoded: Encoded, views: Views) -> StepOutput:  # noqa: ARG002 - a step's
        """NT-Xent over the views of all processes."""
        projected = self.model.project(encoded["views"], gather=gather_with_gradient)
        return StepOutput(nt_xent_loss(*projected, temperature=self.temperature))


def draw_views(
    views: EcgViews | BeatViews | CineViews,
    batch: Batch,
    draws: StepRandomness,
    *,
    is_training: bool,
) -> Float[Tensor, "batch ..."]:
    """One view of each recording, of whichever modality."""
    if isinstance(views, CineViews):
        return views.draw(batch, draws, is_training=is_training)
    return views.draw(batch, draws, is_training=is_training)[0]
