"""What the charts screen asks of a store: columns, their values, embeddings, a lasso kept."""

from collections.abc import Sequence

import numpy as np

from ptacl_app.data.chart_data import ChartColumn, ChartWish, CohortChart, build_chart, build_map
from ptacl_app.data.patient_view import SavedCohortView
from ptacl_app.data.reading.kept import view_saved
from ptacl_app.data.reading.opened import OpenedReader
from ptacl_app.drawing.chart import ChartKind
from ptacl_app.text.formatting import format_count, safe
from ptacl_core.arrays import Array, Float64
from ptacl_core.cohort.sql.statement import MAX_STATEMENT_CHARACTERS
from ptacl_core.errors import CohortError
from ptacl_core.records import PHENOTYPE_UNITS

_UNITS = {
    "age_years": "y", "height_cm": "cm", "weight_kg": "kg", "bmi_kg_m2": "kg/m²", "bsa_m2": "m²",
    "heart_rate_bpm": "bpm", "pr_ms": "ms", "qrs_ms": "ms", "qt_ms": "ms", "qtc_ms": "ms",
    "axis_deg": "°", **PHENOTYPE_UNITS,
}  # fmt: skip
_NUMBERS = {"DOUBLE", "FLOAT", "BIGINT", "INTEGER"}
_ROOM = 600
"""Characters of a statement that are not the predicate."""


class ChartReading(OpenedReader):
    """What the charts screen shows."""

    def load_chart_columns(self) -> tuple[ChartColumn, ...]:
        """Columns of the overview, then those that the run in use predicts."""
        rows = self._cohort.fetch(
            "SELECT column_name, data_type FROM information_schema.columns "
            "WHERE table_catalog = 'store' AND table_name = 'overview' ORDER BY ordinal_position"
        )
        columns = [
            ChartColumn(name, unit=_UNITS.get(name, ""), is_number=kind in _NUMBERS)
            for name, kind in rows
            if name not in {"patient", "visit"}
        ]
        predicted = self._cohort.fetch(
            "SELECT DISTINCT name FROM predictions WHERE run = ?", [self.find_run()]
        )
        names = {row[0] for row in predicted}
        columns += [
            ChartColumn(name, is_predicted=True, unit=unit)
            for name, unit in PHENOTYPE_UNITS.items()
            if name in names
        ]
        return tuple(columns)

    def load_chart(self, wish: ChartWish) -> CohortChart:
        """What is to be drawn. Raises CohortError where there is nothing to draw it from."""
        if wish.kind in (ChartKind.ECG_MAP, ChartKind.CMR_MAP):
            return self._load_map_chart(wish)
        people, values = self._load_columns((wish.x, wish.y, wish.colour))
        colours = values[2] if wish.colour is not None else [None] * len(people)
        return build_chart(wish, _numbers(values[0]), _numbers(values[1]), people, colours)

    def _load_map_chart(self, wish: ChartWish) -> CohortChart:
        run = self.find_run()
        if run is None:
            raise CohortError("expected a run with embeddings, the cohort has none: ptacl embed")
        modality = "ecg" if wish.kind is ChartKind.ECG_MAP else "cmr"
        embeddings = self._cohort.embeddings(run, modality)
        people = [
            (patient, int(visit))
            for patient, visit in zip(embeddings.patients, embeddings.visits, strict=True)
        ]
        if len(people) < 2:
            raise CohortError(f"expected embeddings of {modality} in run {safe(run)}, got none")
        colours: list[object] = [None] * len(people)
        if wish.colour is not None:
            known, values = self._load_columns((wish.colour,))
            by_person = dict(zip(known, values[0], strict=True))
            colours = [by_person.get(person) for person in people]
        return build_map(wish, embeddings.vectors, people, colours, run=safe(run, max_length=40))

    def _load_columns(
        self, columns: Sequence[ChartColumn | None]
    ) -> tuple[list[tuple[str, int]], list[list[object]]]:
        """(patient, visit) of every visit, and the values of each column."""
        parts, parameters = [], []
        for column in columns:
            if column is None:
                parts.append("NULL")
            elif column.is_predicted:
                parts.append(
                    "(SELECT any_value(p.value) FROM predictions p WHERE p.run = ? AND p.name = ? "
                    "AND p.patient = o.patient AND p.visit = o.visit)"
                )
                parameters += [self.find_run(), column.name]
            else:
                parts.append(f'o."{column.name}"')
        query = (
            f"SELECT o.patient, o.visit, {', '.join(parts)} FROM overview o "  # noqa: S608 - names of the store's own columns
            "ORDER BY o.patient, o.visit"
        )
        rows = self._cohort.fetch(query, parameters)
        people = [(str(row[0]), int(row[1])) for row in rows]
        return people, [[row[place + 2] for row in rows] for place in range(len(columns))]

    def save_lasso(
        self, name: str, label: str, people: Sequence[tuple[str, int]]
    ) -> SavedCohortView:
        """Keep what a lasso holds as a cohort. Raises CohortError when it is too many."""
        visits = {visit for _, visit in people}
        if len(visits) == 1:
            texts = [_quote(patient) for patient, _ in people]
            predicate = f"visit = {visits.pop()} AND patient IN ({','.join(texts)})"
        else:
            texts = [f"({_quote(patient)},{visit})" for patient, visit in people]
            predicate = f"(patient, visit) IN ({','.join(texts)})"
        if len(predicate) + _ROOM > MAX_STATEMENT_CHARACTERS:
            fitting = len(people) * (MAX_STATEMENT_CHARACTERS - _ROOM) // len(predicate)
            raise CohortError(
                f"expected a lasso of at most about {format_count(fitting)} visits, "
                f"got {format_count(len(people))}: draw a smaller one"
            )
        return view_saved(self._cohort.save_cohort(name, [(label, predicate)]))


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _numbers(values: Sequence[object]) -> Float64[Array, " row"]:
    return np.array(
        [np.nan if value is None else float(str(value)) for value in values], np.float64
    )
