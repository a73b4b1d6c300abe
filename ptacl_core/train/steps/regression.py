"""The step of fine-tuning and supervised training: z-scored phenotypes from one modality."""

from collections.abc import Mapping

from ptacl_core.losses import masked_target_terms
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
    """Mean squared error over the phenotypes that are present, all processes counted."""

    def __init__(self, model: Regressor, views: EcgViews | BeatViews | CineViews):
        super().__init__()
        self.model = model
        self.views = views

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
        terms = masked_target_terms(encoded["prediction"], views.tensors["targets"])
        return StepOutput(share_of_mean(*terms))
