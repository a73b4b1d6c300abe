"""A packed model's ECG path for programs that have nothing of ours."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ptacl_core.errors import ConfigError
from ptacl_core.safety.files.atomic import atomic_path
from ptacl_core.trained.ecg_graph import EcgGraph
from ptacl_core.trained.ecg_model import EcgModel

SUFFIX = ".pt2"
_EXAMPLE_BEATS = 8


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What was written: its inputs and outputs by name."""

    out: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    num_samples: int

    def as_dict(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "out": str(self.out),
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "samples": self.num_samples,
        }


def run(model_path: Path, out: Path) -> ExportSummary:
    """Write the graph to `out`, NAME.pt2, for `torch.export.load`.

    Raises BundleError for the file, ConfigError for another ending and for a model whose
    preprocessing no graph computes.
    """
    if out.suffix != SUFFIX:
        raise ConfigError(f"--out {out.name}: expected a name that ends in {SUFFIX}")
    graph = EcgGraph(EcgModel.of_file(model_path, device="cpu")).eval()
    inputs = example_inputs(graph)
    _write_program(graph, inputs, out)
    return ExportSummary(out, graph.input_names, graph.output_names, graph.num_samples)


def example_inputs(graph: EcgGraph) -> tuple[torch.Tensor, ...]:
    """Inputs of the shapes that the graph takes."""
    signal = torch.randn(12, graph.num_samples, generator=torch.Generator().manual_seed(0))
    if graph.beat_layout is None:
        return (signal,)
    peaks = torch.arange(1, _EXAMPLE_BEATS + 2) * 400
    return signal, torch.stack((peaks[:-1], peaks[1:]), dim=1), torch.zeros(3)


def _write_program(graph: EcgGraph, inputs: tuple[torch.Tensor, ...], out: Path) -> None:
    shapes: tuple[Any, ...] | None = None
    if graph.beat_layout is not None:
        shapes = (None, {0: torch.export.Dim("beat", min=1, max=200)}, None)
    with torch.no_grad():
        program = torch.export.export(graph, inputs, dynamic_shapes=shapes)
    with atomic_path(out) as temporary, temporary.open("wb") as stream:
        torch.export.save(program, stream)
