"""The nearest real patients as linked rows."""

from collections.abc import Callable

from rich.text import Text

from ptacl_app.data.patient_view import Neighbour, PatientView, measure_spread
from ptacl_app.text.formatting import (
    PHENOTYPE_LABELS,
    format_number,
    format_sex_age,
    format_similarity,
    safe,
)
from ptacl_app.widgets.tables.whole_columns import WholeColumnTable
from ptacl_core.records import PHENOTYPE_UNITS

SHOWN = ("lvef_pct", "lvedv_ml", "lvesv_ml", "lvm_g", "rvef_pct", "rvedv_ml")


class NeighbourList(WholeColumnTable):
    """Rank, patient, similarity and what CMR measured; Enter opens the patient."""

    DEFAULT_CSS = """
    NeighbourList { height: 1fr; scrollbar-size-horizontal: 0; }
    """

    def __init__(self, *, id: str | None = None, shown: tuple[str, ...] = SHOWN) -> None:  # noqa: A002
        super().__init__(id=id, cursor_type="row", zebra_stripes=True, fixed_columns=2)
        self.neighbours: tuple[Neighbour, ...] = ()
        self.shown = shown

    def on_mount(self) -> None:
        """Columns that never change."""
        self.add_column(Text("#", justify="right"))
        for heading in ("patient", "sim", "sex age"):
            self.add_column(Text(heading, justify="right" if heading == "sim" else "left"))
        for name in self.shown:
            self.add_column(Text(PHENOTYPE_LABELS[name], justify="right"))

    def show(
        self,
        neighbours: tuple[Neighbour, ...],
        *,
        patient: PatientView | None = None,
        name_of: Callable[[str], str] = safe,
    ) -> None:
        """Show another list; with `patient`, each phenotype is followed by its difference.

        The cursor stays on its patient, if that one is in the new list too.
        """
        chosen = self.selected
        self.neighbours = neighbours
        predicted = _predicted(patient)
        spread = measure_spread(neighbours)
        with self.app.batch_update():
            self.clear()
            for neighbour in neighbours:
                self.add_row(
                    Text(str(neighbour.rank), justify="right"),
                    Text(safe(name_of(neighbour.patient), max_length=24)),
                    Text(format_similarity(neighbour.similarity, spread=spread), justify="right"),
                    Text(format_sex_age(neighbour.sex, neighbour.age_years)),
                    *(_build_cell(neighbour, name, predicted.get(name)) for name in self.shown),
                )
            ids = [neighbour.patient for neighbour in neighbours]
            if chosen is not None and chosen.patient in ids:
                self.move_cursor(row=ids.index(chosen.patient), animate=False)

    @property
    def selected(self) -> Neighbour | None:
        """The neighbour under the cursor."""
        if 0 <= self.cursor_row < len(self.neighbours):
            return self.neighbours[self.cursor_row]
        return None


def _predicted(patient: PatientView | None) -> dict[str, float]:
    if patient is None:
        return {}
    return {
        value.name: value.predicted.value
        for value in patient.phenotypes
        if value.predicted is not None
    }


def _build_cell(neighbour: Neighbour, name: str, predicted: float | None) -> Text:
    unit = PHENOTYPE_UNITS[name]
    measured = neighbour.measured.get(name)
    text = Text(format_number(measured, unit=unit), justify="right")
    if measured is not None and predicted is not None:
        difference = measured - predicted
        sign = "+" if difference >= 0 else "−"
        text.append(f" {sign}{format_number(abs(difference), unit=unit)}", style="dim")
    return text
