"""`ptacl unpack --show`: everything that is inside a packed model."""

from pathlib import Path

from ptacl_core.bundle.model_file import ModelFile
from ptacl_core.json_values import JsonObject


def run(path: Path) -> JsonObject:
    """Document, tensors by name with shape and type, aggregates and card, all verified.

    Raises BundleError.
    """
    model = ModelFile(path)
    model.verify()
    evaluation = model.evaluation()
    return {
        "file": path.name,
        "bytes": model.num_bytes,
        "bundle_sha256": model.sha256,
        "document": model.document.as_dict(),
        "tensors": {
            name: {
                key: {"shape": list(values.shape), "dtype": str(values.dtype)}
                for key, values in sorted(model.tensors(name).items())
            }
            for name in model.document.files
            if name.endswith(".safetensors")
        },
        "evaluation": None if evaluation is None else evaluation.as_dict(),
        "card": model.card(),
    }
