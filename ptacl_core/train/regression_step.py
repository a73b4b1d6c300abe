"""The step of fine-tuning and supervised training: z-scored phenotypes from one modality."""

from torch import nn

from ptacl_core.losses import masked_target_terms
from ptacl_core.models import Regressor
from ptacl_core.train.batches import Batch
from ptacl_core.train.distributed import share_of_mean
from ptacl_core.train.loop import StepOutput
from ptacl_core.train.pretraining_steps import draw_views
from ptacl_core.train.randomness import StepRandomness
from ptacl_core.train.views import CineViews, EcgViews


class RegressionStep(nn.Module):
    """Mean squared error over the phenotypes that are present, all processes counted."""

    def __init__(self, model: Regressor, views: EcgViews | CineViews):
        super().__init__()
        self.model = model
        self.views = views

    def forward(self, batch: Batch, draws: StepRandomness) -> StepOutput:
        """The loss; 1 is what predicting the training mean costs."""
        assert batch.targets is not None
        recordings = draw_views(self.views, batch, draws, is_training=self.training)
        terms = masked_target_terms(self.model(recordings), batch.targets)
        return StepOutput(share_of_mean(*terms))
