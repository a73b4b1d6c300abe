"""What can be known of each phenotype at best, from the card of a simulated cohort."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError

from ptacl_core.safety.files.json_object import read_json_object


class Ceiling(BaseModel):
    """Greatest R² of one phenotype: from all that the ECG shows, and given the label's error."""

    oracle_r2: float
    label_reliability: float


class _Card(BaseModel):
    phenotypes: dict[str, Ceiling]


Ceilings = Mapping[str, Ceiling]
"""By phenotype."""


def read_ceilings(cohort_dir: Path) -> Ceilings | None:
    """Ceilings of a simulated cohort; None of one without a card that can be read."""
    card = read_json_object(cohort_dir / "card.json")
    try:
        return None if card is None else _Card.model_validate(card).phenotypes
    except ValidationError:
        return None
