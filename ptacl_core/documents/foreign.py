"""The document of `ptacl evaluate --encoder`: an encoder of one's own as a row."""

from pydantic import Field

from ptacl_core.documents.evaluation import PatientCounts
from ptacl_core.documents.model import Document
from ptacl_core.documents.table_two import NestedQuestion, TableTwoRow


class ForeignEvaluationDocument(Document):
    """What a frozen encoder that was not trained here says of the held-out patients.

    `rows` are demographics, the rows without learning and the encoder; `nested` asks what it
    adds to demographics. `encoder_sha256` is the hash of the file that it came from.
    """

    KIND = "ptacl-foreign-evaluation"
    VERSION = 1

    encoder: str
    encoder_sha256: str | None
    num_features: int
    rows: tuple[TableTwoRow, ...]
    nested: tuple[NestedQuestion, ...]
    unjudged: dict[str, str] = Field(default_factory=dict)
    patients: PatientCounts
    resamples: int
    data_sha256: str
    note: str
