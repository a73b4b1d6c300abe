"""Schemas are published, documents of the version before are read."""

import json
from pathlib import Path

import pytest

from ptacl_core.documents.catalogue import DOCUMENTS, describe_schema
from ptacl_core.documents.evaluation import EvaluationDocument
from ptacl_core.errors import ConfigError

FORMER = Path(__file__).parents[2] / "data" / "evaluation_before_kinds.json"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_schema_names_kind_version_and_every_key(name):
    schema = describe_schema(name)
    forms = schema.get("oneOf", [schema])
    for form, document in zip(forms, DOCUMENTS[name], strict=True):
        assert form["properties"]["kind"]["const"] == document.KIND
        assert form["properties"]["version"]["const"] == document.VERSION
        assert {"kind", "version"} <= set(form["required"])
        assert set(form["properties"]) == set(document.model_fields)
    json.dumps(schema, allow_nan=False)


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(
        ConfigError,
        match="no document 'evaluations'; there are bundle, checklist",
    ):
        describe_schema("evaluations")


def test_an_evaluation_of_the_version_before_is_read():
    former = json.loads(FORMER.read_text())
    document = EvaluationDocument.read(FORMER)
    row = document.row("aligned-ecg")
    assert row is not None
    before = next(row for row in former["rows"] if row["key"] == "aligned-ecg")
    cell, old = row.phenotypes["lvm_g"], before["phenotypes"]["lvm_g"]
    assert (cell.r2, cell.mean_absolute_error, cell.concordance) == (
        old["r2"], old["mae"], old["ccc"]
    )  # fmt: skip
    assert cell.mean_absolute_error_high == old["mae_high"]
    assert row.mean is not None
    assert row.mean.delta_over_demographics is not None
    assert row.mean.delta_over_demographics.difference == before["mean"]["delta_r2"]["value"]
    assert document.alignment.top1 == former["alignment"]["top1"]
    assert document.provenance.checkpoint_sha256 == former["checkpoint_sha256"]
    assert document.health == {}
    assert EvaluationDocument.parse(document.as_dict(), source="again") == document
