import json
import math
from typing import Any

import pytest

from ptacl_core.documents.health import HealthLimits, RunHealth, SplitHealth, StageHealth
from ptacl_core.documents.model import Document, DocumentError


class Note(Document):
    """A document with one older form."""

    KIND = "ptacl-note"
    VERSION = 2

    words: str
    weight: float | None = None

    @classmethod
    def upgrade(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        if version == 0:
            return {"words": values.pop("text"), **values}
        return super().upgrade(values, version)


def test_kind_and_version_stand_first_and_come_back():
    plain = Note(words="one").as_dict()
    assert list(plain) == ["kind", "version", "words", "weight"]
    assert (plain["kind"], plain["version"]) == ("ptacl-note", 2)
    assert Note.parse(plain, source="here") == Note(words="one")


def test_undefined_numbers_are_null_in_json():
    assert Note(words="one", weight=math.nan).as_dict()["weight"] is None
    assert Note(words="one", weight=math.inf).weight is None


def test_a_document_without_version_is_read_as_the_oldest():
    assert Note.parse({"text": "old"}, source="here").words == "old"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "ptacl-other", "version": 2, "words": ""}, "got ptacl-other"),
        ({"kind": "ptacl-note", "version": 9, "words": ""}, "versions up to 2"),
        ({"kind": "ptacl-note", "version": 1, "words": ""}, "no way to read"),
        ({"kind": "ptacl-note", "version": 2, "words": 91_827}, "91827"),
        ({"kind": "ptacl-note", "version": 2, "words": "", "typo": 77_123}, "typo"),
        ([3_141], "3141"),
    ],
)
def test_what_is_refused_is_named_with_its_place(values, words):
    with pytest.raises(DocumentError, match=words) as caught:
        Note.parse(values, source="notes.json")
    assert "notes.json" in str(caught.value)


def test_files_are_read_and_damaged_ones_named(tmp_path):
    path = tmp_path / "note.json"
    path.write_text(json.dumps(Note(words="one").as_dict()))
    assert Note.read(path).words == "one"
    path.write_text("{")
    with pytest.raises(DocumentError, match=r"note\.json: cannot be read"):
        Note.read(path)


def test_health_names_the_stages_that_failed():
    limits = HealthLimits(contrastive_share=0.97, min_effective_rank=4, reconstruction_share=0.98)
    health = RunHealth(
        run="global",
        limits=limits,
        stages={
            "ecg": StageHealth(learned=True),
            "align": StageHealth(
                learned=False,
                reasons=("loss at ln B",),
                splits={"validation": SplitHealth(patients=15, contrastive_loss=math.nan)},
            ),
        },
    )
    assert health.failures == {"align": ("loss at ln B",)}
    again = RunHealth.parse(json.loads(json.dumps(health.as_dict())), source="health.json")
    assert again.stages["align"].splits["validation"].contrastive_loss is None
