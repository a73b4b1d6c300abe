"""A packed model's ECG path for programs that have nothing of ours: ONNX, or a program of torch."""

import logging
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch

from ptacl_core.errors import ConfigError
from ptacl_core.json_values import JsonObject
from ptacl_core.safety.files.atomic import atomic_path
from ptacl_core.trained.ecg_graph import EcgGraph
from ptacl_core.trained.ecg_model import EcgModel

ONNX_SUFFIX, TORCH_SUFFIX = ".onnx", ".pt2"
_ONNX_PACKAGES = ("onnx", "onnxscript")


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What was written: its inputs and outputs by name."""

    out: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    num_samples: int

    def as_dict(self) -> JsonObject:
        """The JSON document."""
        return {
            "out": str(self.out),
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "samples": self.num_samples,
        }


def run(model_path: Path, out: Path) -> ExportSummary:
    """Write the graph to `out`: NAME.onnx, or NAME.pt2 for `torch.export.load`.

    Raises BundleError for the file, ConfigError for another ending, for a model whose
    preprocessing no graph computes, and for ONNX without the packages of the extra `export`.
    """
    if out.suffix not in (ONNX_SUFFIX, TORCH_SUFFIX):
        raise ConfigError(
            f"--out {out.name}: expected a name that ends in {ONNX_SUFFIX} or {TORCH_SUFFIX}"
        )
    missing = [name for name in _ONNX_PACKAGES if find_spec(name) is None]
    if out.suffix == ONNX_SUFFIX and missing:
        raise ConfigError(
            f"{out.name}: ONNX needs {' and '.join(missing)}; install ptacl[export], or write "
            f"{out.stem}{TORCH_SUFFIX}"
        )
    model = EcgModel.of_file(model_path, device="cpu")
    graph = EcgGraph(model).eval().requires_grad_(False)
    signal = torch.randn(12, graph.num_samples, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        program = torch.export.export(graph, (signal,))
    with atomic_path(out) as temporary:
        if out.suffix == ONNX_SUFFIX:
            _write_onnx(program, graph, temporary, describe(model, graph))
        else:
            with temporary.open("wb") as stream:
                torch.export.save(program, stream)
    return ExportSummary(out, graph.input_names, graph.output_names, graph.num_samples)


def describe(model: EcgModel, graph: EcgGraph) -> dict[str, str]:
    """What a reader of the file alone has to know, as texts."""
    return {
        "ptacl": "Research use only. Not for diagnosis or treatment.",
        "model": model.name,
        "checkpoint_sha256": model.checkpoint_sha256,
        "input": f"signal_mv [12, {graph.num_samples}]: mV at {graph.rate_hz:g} Hz, leads I II III "
        "aVR aVL aVF V1 V2 V3 V4 V5 V6; a lead that is off is zeros",
        "targets": ",".join(name for name, _ in graph.targets),
        "units": ",".join(unit for _, unit in graph.targets),
        "coverage": f"{model.readout.coverage:g}",
        "outlier_score": "above 1: unlike the recordings of the training",
        "unfit": model.unfit or "",
    }


def _write_onnx(
    program: torch.export.ExportedProgram, graph: EcgGraph, path: Path, notes: dict[str, str]
) -> None:
    """Weights inside the file; the notes stand in the model's metadata."""
    import onnx

    # It warns of operators of torchvision, which no encoder has.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # The exporter of torch 2.13 asks its own trees in a way that it calls deprecated itself.
        warnings.filterwarnings("ignore", r".*isinstance\(treespec, LeafSpec\)", FutureWarning)
        made = torch.onnx.export(
            program, (), input_names=list(graph.input_names),
            output_names=list(graph.output_names), dynamo=True, verbose=False,
        )  # fmt: skip
    assert made is not None
    proto = made.model_proto
    onnx.helper.set_model_props(proto, notes)
    onnx.checker.check_model(proto)
    path.write_bytes(proto.SerializeToString())
