"""The state of a training, to and from the disk: weights, optimizer, best weights, position."""

from dataclasses import asdict, fields

import torch
from torch import nn

from ptacl_core.checkpoint import CheckpointDocument, CheckpointFolder, load_weights
from ptacl_core.errors import CheckpointError
from ptacl_core.tensors import Tensor
from ptacl_core.train.loop import FitState
from ptacl_core.train.optimizer import optimizer_tensors, restore_optimizer

_BEST = "best/"


class TrainingCheckpoints:
    """Saves and restores what `fit` changes. `document` describes the run and its stage."""

    def __init__(
        self,
        folder: CheckpointFolder,
        document: CheckpointDocument,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
    ):
        self.folder, self.document = folder, document
        self.module, self.optimizer = module, optimizer
        self._best: dict[str, Tensor] | None = None

    def remember_best(self) -> None:
        """Keep a copy of the weights as they are now."""
        self._best = {
            name: value.detach().clone() for name, value in self.module.state_dict().items()
        }

    def save(self, state: FitState) -> None:
        """Write a checkpoint. Raises CheckpointError (disk full)."""
        stored = {
            f"optimizer/{name}": value
            for name, value in optimizer_tensors(self.module, self.optimizer).items()
        }
        if self._best is not None:
            stored |= {_BEST + name: value for name, value in self._best.items()}
        self.folder.save(self._describe(state), self.module.state_dict(), stored)

    def restore(self) -> FitState:
        """Put back the newest whole checkpoint; a fresh state when there is none."""
        latest = self.folder.load_latest()
        if latest is None:
            return FitState()
        document, weights, stored = latest
        load_weights(self.module, weights, place=f"stage {document.stage}")
        try:
            restore_optimizer(
                self.module,
                self.optimizer,
                {
                    name.removeprefix("optimizer/"): value
                    for name, value in stored.items()
                    if name.startswith("optimizer/")
                },
            )
        except KeyError as error:
            raise CheckpointError(
                f"stage {document.stage}: the stored optimizer does not fit the model ({error}); "
                "the run's settings and its checkpoints do not belong together"
            ) from None
        device = next(self.module.parameters()).device
        best = {
            name.removeprefix(_BEST): value.to(device)
            for name, value in stored.items()
            if name.startswith(_BEST)
        }
        self._best = best or None
        return _read_position(document)

    def return_to_best(self) -> None:
        """Give the module the weights that were remembered last, if any."""
        if self._best is not None:
            self.module.load_state_dict(self._best)

    def finish(self, state: FitState) -> None:
        """Write the module's weights as the stage's final checkpoint."""
        self.folder.finish(self._describe(state), self.module.state_dict())

    def _describe(self, state: FitState) -> CheckpointDocument:
        return self.document.model_copy(update={"step": state.step, "position": asdict(state)})


def _read_position(document: CheckpointDocument) -> FitState:
    known = {field.name for field in fields(FitState)}
    if set(document.position) != known:
        raise CheckpointError(
            f"stage {document.stage}: position has keys {sorted(document.position)}, "
            f"expected {sorted(known)}"
        )
    return FitState(**document.position)  # pyright: ignore[reportArgumentType]
