"""Steps of single-modality pretraining: masked autoencoder and SimCLR."""

import torch
from torch import nn

from ptacl_core.losses import mean_prediction_loss, nt_xent_loss
from ptacl_core.models import MaskedAutoencoder, SimclrModel
from ptacl_core.tensors import Float, Tensor
from ptacl_core.train.batches import Batch
from ptacl_core.train.distributed import gather_with_gradient
from ptacl_core.train.loop import StepOutput
from ptacl_core.train.randomness import StepRandomness
from ptacl_core.train.views import CineViews, EcgViews


class MaskedAutoencoderStep(nn.Module):
    """Reconstruct what is hidden of one modality."""

    def __init__(self, autoencoder: MaskedAutoencoder, views: EcgViews | CineViews):
        super().__init__()
        self.autoencoder = autoencoder
        self.views = views

    def forward(self, batch: Batch, draws: StepRandomness) -> StepOutput:
        """The reconstruction loss; in evaluation also that of predicting the mean."""
        recordings = draw_views(self.views, batch, draws, is_training=self.training)
        # The mask of a recording depends on its place in the global batch, not on processes.
        torch.rand(batch.start, self.autoencoder.encoder.num_tokens, generator=draws.shared)
        result = self.autoencoder(recordings, draws.shared)
        if self.training:
            return StepOutput(result.loss)
        reference = mean_prediction_loss(result.target, result.mask)
        return StepOutput(result.loss, {"mean_prediction_loss": reference})


class SimclrStep(nn.Module):
    """Two views of each recording find each other among all views."""

    def __init__(self, model: SimclrModel, views: EcgViews | CineViews, *, temperature: float):
        super().__init__()
        self.model = model
        self.views = views
        self.temperature = temperature

    def forward(self, batch: Batch, draws: StepRandomness) -> StepOutput:
        """NT-Xent over the views of all processes; views are always augmented."""
        first = draw_views(self.views, batch, draws, is_training=True)
        second = draw_views(self.views, batch, draws, is_training=True)
        projected = self.model(first, second, gather=gather_with_gradient)
        return StepOutput(nt_xent_loss(*projected, temperature=self.temperature))


def draw_views(
    views: EcgViews | CineViews, batch: Batch, draws: StepRandomness, *, is_training: bool
) -> Float[Tensor, "batch ..."]:
    """One view of each recording, of whichever modality."""
    if isinstance(views, EcgViews):
        return views.draw(batch, draws, is_training=is_training)[0]
    return views.draw(batch, draws, is_training=is_training)
