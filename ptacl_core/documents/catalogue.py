"""Every document by the name that `ptacl schema` knows it under."""

from typing import Any

from ptacl_core.documents.evaluation import EvaluationDocument
from ptacl_core.documents.health import RunHealth
from ptacl_core.documents.model import Document
from ptacl_core.documents.prediction import PredictionDocument
from ptacl_core.documents.reproduction import ReproductionDocument
from ptacl_core.errors import ConfigError

DOCUMENTS: dict[str, type[Document]] = {
    "evaluation": EvaluationDocument,
    "health": RunHealth,
    "prediction": PredictionDocument,
    "reproduction": ReproductionDocument,
}


def describe_schema(name: str) -> dict[str, Any]:
    """The JSON schema of a document as it is written. Raises ConfigError for another name."""
    if name not in DOCUMENTS:
        raise ConfigError(f"no document '{name}'; there are {', '.join(DOCUMENTS)}")
    document = DOCUMENTS[name]
    schema = document.model_json_schema(mode="validation")
    schema["properties"]["kind"] = {"const": document.KIND, "type": "string"}
    schema["properties"]["version"] = {"const": document.VERSION, "type": "integer"}
    schema["required"] = ["kind", "version", *schema.get("required", [])]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
