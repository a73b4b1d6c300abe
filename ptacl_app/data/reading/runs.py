"""The runs of a store with what their evaluations wrote."""

from dataclasses import replace

from ptacl_app.data.coverage import build_coverage_table
from ptacl_app.data.patient_view import (
    Prediction,
    RunTable,
    RunView,
)
from ptacl_app.data.reading.opened import OpenedReader
from ptacl_app.data.run_view import build_patient_table, build_run_view


class RunReading(OpenedReader):
    """What the runs screen shows."""

    # --- runs

    def load_runs(self) -> tuple[RunView, ...]:
        """Every run with what its evaluation wrote, the newest first."""
        views = []
        for run in self._cohort.runs():
            view = build_run_view(run, self._cohort.evaluation_document(run.run))
            coverage = build_coverage_table(self._cohort.fetch, run.run)
            tables = view.tables if coverage is None else (*view.tables, coverage)
            views.append(replace(view, tables=tables))
        return tuple(views)

    def load_predictions_by_run(self, patient: str, visit: int) -> RunTable | None:
        """One patient's phenotypes as every run predicts them; None when none does."""
        by_run: dict[str, dict[str, Prediction]] = {}
        for prediction in self._cohort.predictions(patient):
            if prediction.visit == visit:
                interval = Prediction(prediction.value, prediction.low, prediction.high)
                by_run.setdefault(prediction.run, {})[prediction.name] = interval
        if not by_run:
            return None
        measured = {
            phenotype.name: phenotype.value
            for phenotype in self._cohort.phenotypes(patient)
            if phenotype.visit == visit
        }
        return build_patient_table(by_run, measured)
