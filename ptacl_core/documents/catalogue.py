"""Every document by the name that `ptacl schema` knows it under."""

from pydantic.json_schema import JsonSchemaValue

from ptacl_core.documents.bundle import AggregateEvaluation, BundleDocument
from ptacl_core.documents.doctor import (
    CineReport,
    EcgReport,
    EnvironmentReport,
    PairsReport,
    PhenotypeReport,
    SourceReport,
)
from ptacl_core.documents.drift import DriftDocument
from ptacl_core.documents.evaluation import EvaluationDocument, ForeignEvaluationDocument
from ptacl_core.documents.health import RunHealth
from ptacl_core.documents.model import Document
from ptacl_core.documents.prediction import PredictionDocument
from ptacl_core.documents.preprocess import PlanDocument, PreprocessDocument
from ptacl_core.documents.reproduction import ReproductionDocument
from ptacl_core.documents.reviews import ChecklistDocument, DataSheetDocument, EgressDocument
from ptacl_core.documents.targets import TargetsDocument
from ptacl_core.documents.validation import ValidationDocument
from ptacl_core.errors import ConfigError

DOCUMENTS: dict[str, tuple[type[Document], ...]] = {
    "bundle": (BundleDocument, AggregateEvaluation),
    "checklist": (ChecklistDocument,),
    "data-sheet": (DataSheetDocument,),
    "doctor": (
        EnvironmentReport, EcgReport, CineReport, PhenotypeReport, PairsReport, SourceReport,
    ),
    "drift": (DriftDocument,),
    "egress": (EgressDocument,),
    "evaluation": (EvaluationDocument, ForeignEvaluationDocument),
    "health": (RunHealth,),
    "prediction": (PredictionDocument,),
    "preprocess": (PreprocessDocument, PlanDocument),
    "reproduction": (ReproductionDocument,),
    "targets": (TargetsDocument,),
    "validation": (ValidationDocument,),
}  # fmt: skip
"""By name; where a command has several forms, `kind` tells them apart."""


def describe_schema(name: str) -> JsonSchemaValue:
    """The JSON schema of a document as it is written. Raises ConfigError for another name."""
    if name not in DOCUMENTS:
        raise ConfigError(f"no document '{name}'; there are {', '.join(DOCUMENTS)}")
    forms = [_describe_form(document) for document in DOCUMENTS[name]]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    if len(forms) == 1:
        return {**head, **forms[0]}
    parts = {key: part for form in forms for key, part in form.pop("$defs", {}).items()}
    return {**head, "$defs": parts, "oneOf": forms}


def _describe_form(document: type[Document]) -> JsonSchemaValue:
    schema = document.model_json_schema(mode="validation", by_alias=True)
    schema["properties"]["kind"] = {"const": document.KIND, "type": "string"}
    schema["properties"]["version"] = {"const": document.VERSION, "type": "integer"}
    schema["required"] = ["kind", "version", *schema.get("required", [])]
    return schema
