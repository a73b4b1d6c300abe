"""Facts that cross the app: what was loaded, found or failed. They are carried forward only."""

from collections.abc import Callable
from dataclasses import dataclass

from textual.message import Message

from ptacl_app.data.chart_data import ChartColumn, CohortChart
from ptacl_app.data.patient_view import (
    CohortSummary,
    Facet,
    Neighbour,
    PatientPage,
    PatientView,
    PersonNotes,
    QueryResult,
    RunTable,
    RunView,
    SavedCohortView,
)
from ptacl_app.drawing.saliency import Saliency

Asked = Callable[[], bool]
"""A question that a thread puts to those who wait for it."""


@dataclass(eq=False)
class CohortOpened(Message):
    """The store was opened, or opened anew after a publication."""

    summary: CohortSummary


@dataclass(eq=False)
class CohortFailed(Message):
    """The store cannot be opened or read; `text` is one safe sentence."""

    text: str


@dataclass(eq=False)
class PageLoaded(Message):
    """A page of the patient table arrived."""

    page: PatientPage
    sort: str
    is_descending: bool
    cursor: int


@dataclass(eq=False)
class FacetsLoaded(Message):
    """The counts beside the table arrived."""

    facets: tuple[Facet, ...]


@dataclass(eq=False)
class PaneFailed(Message):
    """Something of one pane failed; `text` is one safe sentence with the next step."""

    pane: str
    text: str


@dataclass(eq=False)
class OpinionsAsked(Message):
    """The figures of three sources, as one safe table."""

    text: str


@dataclass(eq=False)
class PreviewLoaded(Message):
    """The patient under the cursor of the table arrived."""

    patient: PatientView


@dataclass(eq=False)
class PatientLoaded(Message):
    """The patient to show arrived."""

    patient: PatientView


@dataclass(eq=False)
class OriginalLooked(Message):
    """The recording that an ECG of the cohort was made from was found, or why not is known."""

    patient: PatientView


@dataclass(eq=False)
class OtherRead(Message):
    """The ECG to compare with arrived; `others` are the person's visits that have one."""

    patient: PatientView
    others: tuple[int, ...]


@dataclass(eq=False)
class RecordingRead(Message):
    """A file was read; no model has seen it yet. `person` is what was told of whose it is."""

    patient: PatientView
    person: str


@dataclass(eq=False)
class ModelAnswered(Message):
    """The model's answer to a file that is shown, or a finding that says why there is none."""

    patient: PatientView


@dataclass(eq=False)
class NeighboursLoaded(Message):
    """A ranked list arrived."""

    direction: str
    neighbours: tuple[Neighbour, ...]


@dataclass(eq=False)
class QueryRows(Message):
    """Rows of an SQL statement arrived, the first ones or further ones."""

    statement: str
    result: QueryResult
    is_first: bool


@dataclass(eq=False)
class QueryFinished(Message):
    """An SQL statement ended well."""

    statement: str


@dataclass(eq=False)
class CatalogueLoaded(Message):
    """Tables of the store with their columns (name, type)."""

    tables: dict[str, tuple[tuple[str, str], ...]]


@dataclass(eq=False)
class RunsLoaded(Message):
    """The runs and their evaluations arrived, which is in use, the open patient by every run."""

    runs: tuple[RunView, ...]
    chosen: str | None
    by_run: RunTable | None


@dataclass(eq=False)
class NotesLoaded(Message):
    """Notes and tags of a person arrived, after a change or for the first time."""

    notes: PersonNotes
    was_changed: bool


@dataclass(eq=False)
class ChartLoaded(Message):
    """A chart arrived, with the columns that others can be made of."""

    columns: tuple[ChartColumn, ...]
    chart: CohortChart


@dataclass(eq=False)
class CohortSaved(Message):
    """A selection was saved."""

    saved: SavedCohortView


@dataclass(eq=False)
class SavedCohortsLoaded(Message):
    """The saved selections arrived."""

    cohorts: tuple[SavedCohortView, ...]


@dataclass(eq=False)
class CohortsCompared(Message):
    """Two selections were counted."""

    table: RunTable


@dataclass(eq=False)
class PredictionFailed(Message):
    """The model, or reading the file, failed; `text` is one safe sentence.

    `needs_hints`: the file does not say its unit, rate or leads, and the reader may.
    """

    text: str
    needs_hints: bool = False


@dataclass(eq=False)
class FileKept(Message):
    """A loaded file is in the cohort now; `patients` are those that are new."""

    patients: tuple[str, ...]


@dataclass(eq=False)
class SaliencyLoaded(Message):
    """What the predictions of one patient's visit rest on, by phenotype."""

    patient: PatientView
    by_phenotype: dict[str, Saliency]


@dataclass(eq=False)
class SaliencyFailed(Message):
    """It could not be told (`text` is one safe sentence), or the reader cancelled ("")."""

    text: str


@dataclass(eq=False)
class MovedMarksLoaded(Message):
    """Where people moved marks of one visit's ECG to, in seconds, by beat and name; who did last.

    `text` is one safe sentence when a mark was moved just now.
    """

    patient: str
    visit: int
    moved_s: dict[tuple[int, str], float]
    text: str = ""
