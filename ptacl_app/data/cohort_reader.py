"""The only module of the app that touches the store; `recording_reader` opens the arrays for it.

Its methods block: screens call them in thread workers. Every text they return is safe to
print, every sentence of an error too. The model is never reached from here.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from ptacl_app.data.cohort_comparison import build_comparison, summarise_group
from ptacl_app.data.coverage import build_coverage_table
from ptacl_app.data.patient_view import (
    CohortSummary,
    Facet,
    Neighbour,
    OutOfDistribution,
    PatientPage,
    PatientSummary,
    PatientView,
    PhenotypeValue,
    Prediction,
    QueryResult,
    Reference,
    RunTable,
    RunView,
    SavedCohortView,
)
from ptacl_app.data.recording_reader import RecordingReader
from ptacl_app.data.run_choice import choose_default, describe_faults, list_standings
from ptacl_app.data.run_view import build_patient_table, build_run_view
from ptacl_app.text.formatting import safe
from ptacl_core.arrays import Array, Float32
from ptacl_core.cohort import Cohort, Direction
from ptacl_core.cohort.alignment_maps import has_alignment_maps, load_alignment_map
from ptacl_core.cohort.notes.moved_marks import MovedMark, move_mark, read_moved_marks
from ptacl_core.cohort.notes.notebook import SavedCohort
from ptacl_core.errors import CohortError, PtaclError
from ptacl_core.records import PHENOTYPE_NAMES, Finding
from ptacl_core.records.marks import MARKS_RATE_HZ

MIN_REFERENCE_PATIENTS = 20
"""With fewer measured patients of a sex no reference range is drawn."""


class CohortReader:
    """One cohort directory, opened read-only; arrays are opened at the first patient."""

    def __init__(self, cohort: Cohort) -> None:
        self._cohort = cohort
        self._guard = threading.Lock()
        self._recordings = RecordingReader(cohort.path)
        self._references: dict[str, Mapping[str, Reference]] = {}
        self._chosen_run: str | None = None
        self._num_erasures = self._count_erasures()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the cohort at `path`. Raises CohortError when it is none or damaged."""
        return cls(Cohort.open(path))

    @property
    def path(self) -> Path:
        """The cohort directory."""
        return self._cohort.path

    @property
    def export_dir(self) -> Path:
        """The only folder that the app writes results to."""
        return self._cohort.layout.exports

    def close(self) -> None:
        """Close store and shards."""
        self._cohort.close()
        self._recordings.close()

    def has_erased(self) -> bool:
        """True when people were erased from the cohort since it was opened here."""
        return self._count_erasures() != self._num_erasures

    def _count_erasures(self) -> int:
        return len(list(self._cohort.layout.erasures.glob("*.json")))

    def refresh(self) -> bool:
        """Change to a newer publication if there is one; True when it did."""
        if not self._cohort.is_stale():
            return False
        self._cohort.reopen()
        if self._chosen_run not in {each.run for each in self._cohort.runs()}:
            self._chosen_run = None
        with self._guard:
            self._references.clear()
        self._recordings.close()
        return True

    def summarise(self) -> CohortSummary:
        """Name, size and runs of the cohort."""
        counts = self._cohort.fetch(
            "SELECT count(*), count(*) FILTER (WHERE has_ecg), count(*) FILTER (WHERE has_cmr) "
            "FROM overview"
        )[0]
        return CohortSummary(
            name=safe(self._cohort.description.name, max_length=60),
            source=self._cohort.description.source,
            version=self._cohort.version,
            num_patients=int(counts[0]),
            num_ecg=int(counts[1]),
            num_cmr=int(counts[2]),
            runs=tuple(safe(run.run, max_length=60) for run in self._cohort.runs()),
            run=self.find_run(),
        )

    # --- the table

    def load_page(
        self,
        *,
        where: str | None = None,
        sort: str = "patient",
        is_descending: bool = False,
        offset: int = 0,
        limit: int = 200,
    ) -> PatientPage:
        """One page of patient-visits. Raises QueryError when `where` is refused or fails."""
        rows = self._cohort.patients(
            where, f"{sort} DESC" if is_descending else sort, limit=limit, offset=offset
        )
        total = self._cohort.count(where)
        return PatientPage(tuple(_summarise_row(row) for row in rows), offset, total)

    def load_facets(self) -> tuple[Facet, ...]:
        """Counts by sex, age band, split and modality, with the predicate of each."""
        queries = (
            ("sex", "SELECT sex, count(*) FROM overview GROUP BY 1 ORDER BY 1", "sex = {}"),
            ("split", "SELECT split, count(*) FROM overview GROUP BY 1 ORDER BY 1", "split = {}"),
        )
        facets = []
        for group, query, predicate in queries:
            for value, count in self._cohort.fetch(query):
                if value is not None:
                    quoted = "'" + str(value).replace("'", "''") + "'"
                    facets.append(Facet(group, safe(value), count, predicate.format(quoted)))
        decades = self._cohort.fetch(
            "SELECT floor(age_years / 10) * 10 AS decade, count(*) FROM overview "
            "WHERE age_years IS NOT NULL GROUP BY 1 ORDER BY 1"
        )
        facets += [
            Facet(
                "age",
                f"{decade:.0f}–{decade + 9:.0f}",
                count,
                f"age_years >= {decade:.0f} and age_years < {decade + 10:.0f}",
            )
            for decade, count in decades
        ]
        for label, predicate in (
            ("ECG and CMR", "has_ecg and has_cmr"),
            ("ECG only", "has_ecg and not has_cmr"),
            ("CMR only", "has_cmr and not has_ecg"),
            ("with findings", "num_findings > 0"),
        ):
            query = f"SELECT count(*) FROM overview WHERE {predicate}"  # noqa: S608 - our own text
            count = self._cohort.fetch(query)[0][0]
            facets.append(Facet("recordings", label, count, predicate))
        return tuple(facets)

    # --- a patient

    def load_patient(
        self, patient: str, visit: int | None = None, *, num_neighbours: int = 10
    ) -> PatientView:
        """Everything that the patient screen shows; `num_neighbours` 0 leaves them out.

        A damaged array becomes a finding, not an error: the rest of the patient is shown.
        Raises CohortError when there is no such patient.
        """
        row = self._cohort.patient(patient, visit)
        visit_number = int(row["visit"])
        run = self.find_run()
        findings = [
            finding
            for recording in self._cohort.recordings(patient)
            if recording.visit == visit_number
            for finding in recording.findings
        ]
        ecg, cine, faults = self._recordings.load(row)
        neighbours: tuple[Neighbour, ...] = ()
        if num_neighbours and run is not None and ecg is not None:
            try:
                neighbours = self.load_neighbours(patient, visit=visit_number, k=num_neighbours)
            except PtaclError as error:
                faults.append(Finding("no_neighbours", "info", safe(error)))
        predictions = [] if run is None else self._cohort.predictions(patient, run)
        predicted = {
            each.name: Prediction(
                each.value,
                each.low,
                each.high,
                z_score=each.z_score,
                interval_group=each.interval_group and safe(each.interval_group, max_length=20),
            )
            for each in predictions
            if each.visit == visit_number
        }
        coverage = next((each.coverage for each in predictions if each.coverage), None)
        similarity_map, map_note = self._load_map(run, patient, visit_number)
        return PatientView(
            patient=patient,
            visit=visit_number,
            split=_safe_or_none(row["split"]),
            sex=_sex(row["sex"]),
            age_years=row["age_years"],
            run=None if run is None else safe(run, max_length=60),
            ecg=ecg,
            cine=cine,
            phenotypes=self._build_phenotypes(row, predicted),
            findings=tuple(_clean_finding(finding) for finding in (*findings, *faults)),
            out_of_distribution=self._find_distribution(patient, visit_number, run),
            neighbours=neighbours,
            coverage=coverage,
            run_faults=self.describe_run_faults(run),
            similarity_map=similarity_map,
            map_note=map_note,
        )

    def load_neighbours(
        self,
        patient: str,
        *,
        visit: int | None = None,
        k: int = 10,
        direction: Direction = "ecg-cmr",
        where: str | None = None,
    ) -> tuple[Neighbour, ...]:
        """The nearest patients. Raises CohortError without embeddings, QueryError for `where`."""
        found = self._cohort.neighbours(
            patient, k=k, run=self.find_run(), direction=direction, where=where, visit=visit
        )
        people = {
            row[0]: (row[1], row[2])
            for row in self._cohort.fetch(
                "SELECT patient, any_value(sex), any_value(age_years) FROM overview "
                "WHERE list_contains(?::VARCHAR[], patient) GROUP BY patient",
                [[each.patient for each in found]],
            )
        }
        return tuple(
            Neighbour(
                patient=each.patient,
                rank=each.rank,
                similarity=each.similarity,
                sex=_sex(people.get(each.patient, (None, None))[0]),
                age_years=people.get(each.patient, (None, None))[1],
                measured=each.phenotypes,
            )
            for each in found
        )

    def describe_neighbours(self, view: PatientView) -> PatientView:
        """`view` with sex, age and measured phenotypes of its neighbours filled in."""
        names = ", ".join(f"any_value({name})" for name in PHENOTYPE_NAMES)
        query = (
            f"SELECT patient, any_value(sex), any_value(age_years), {names} FROM overview "  # noqa: S608
            "WHERE list_contains(?::VARCHAR[], patient) GROUP BY patient"
        )
        found = self._cohort.fetch(query, [[each.patient for each in view.neighbours]])
        people = {row[0]: row[1:] for row in found}
        neighbours = []
        for each in view.neighbours:
            row = people.get(each.patient)
            if row is not None:
                measured = zip(PHENOTYPE_NAMES, row[2:], strict=True)
                neighbours.append(
                    replace(
                        each,
                        sex=_sex(row[0]),
                        age_years=row[1],
                        measured={name: value for name, value in measured if value is not None},
                    )
                )
        return replace(view, neighbours=tuple(neighbours))

    def search_patients(self, text: str, *, limit: int = 20) -> tuple[str, ...]:
        """Ids that contain `text`, for the palette."""
        rows = self._cohort.fetch(
            "SELECT DISTINCT patient FROM overview WHERE contains(patient, ?) ORDER BY 1 LIMIT ?",
            [text, limit],
        )
        return tuple(row[0] for row in rows)

    # --- marks that people moved

    def load_moved_marks(self, patient: str, visit: int) -> tuple[MovedMark, ...]:
        """The newest place of every mark that a person moved. Raises CohortError."""
        moves = read_moved_marks(self._cohort.notes, patient, visit)
        return tuple({(move.beat, move.mark): move for move in moves}.values())

    def move_mark(self, patient: str, visit: int, *, beat: int, mark: str, time_s: float) -> None:
        """Keep where a person put a mark, beside the computed one. Raises CohortError."""
        sample = round(time_s * MARKS_RATE_HZ)
        move_mark(self._cohort.notes, patient, visit, beat=beat, mark=mark, sample=sample)

    # --- saved cohorts

    def save_cohort(self, name: str, criteria: Sequence[str]) -> SavedCohortView:
        """Keep the rows that meet all `criteria` under `name`. Raises CohortError, QueryError."""
        saved = self._cohort.save_cohort(name, [(each, each) for each in criteria])
        return _view_saved(saved)

    def load_saved_cohorts(self) -> tuple[SavedCohortView, ...]:
        """What was saved, by name."""
        return tuple(_view_saved(saved) for saved in self._cohort.notes.saved_cohorts())

    def compare_cohorts(self, first: str, second: str | None) -> RunTable:
        """Two saved cohorts (None: everybody) side by side. Raises CohortError."""
        groups = []
        for name in (first, second):
            members = None if name is None else self._cohort.notes.saved_cohort_members(name)
            groups.append(summarise_group(self._cohort.fetch, name or "all visits", members))
        return build_comparison(*groups)

    # --- SQL

    def query(self, statement: str, *, max_rows: int = 1000) -> QueryResult:
        """Run one statement in the sandbox. Raises QueryError with the engine's own words."""
        started = time.perf_counter()
        result = self._cohort.sql(statement, max_rows=max_rows)
        return QueryResult(
            columns=tuple(safe(name, max_length=60) for name in result.columns),
            rows=result.rows,
            is_cut=result.is_truncated,
            elapsed_s=time.perf_counter() - started,
        )

    def log_export(self, name: str) -> None:
        """Put a file that the app is about to write into the audit log. Raises CohortError."""
        self._cohort.notes.append_audit("export", name=name, store_version=self._cohort.version)

    def cancel_query(self) -> None:
        """End the statement under way; its caller gets a QueryError that says so."""
        self._cohort.cancel_sql()

    def load_catalogue(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Tables and views with their columns, `overview` first."""
        rows = self._cohort.fetch(
            "SELECT table_name, column_name, data_type FROM information_schema.columns "
            "WHERE table_catalog = 'store' AND table_schema = 'main' "
            "ORDER BY table_name <> 'overview', table_name, ordinal_position"
        )
        tables: dict[str, list[tuple[str, str]]] = {}
        for table, column, kind in rows:
            entry = (safe(column, max_length=40), safe(kind, max_length=16))
            tables.setdefault(safe(table, max_length=40), []).append(entry)
        return {table: tuple(columns) for table, columns in tables.items()}

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

    # --- parts

    def find_run(self) -> str | None:
        """The run whose predictions and neighbours are shown.

        The one that was chosen, else the newest that has learned and is not a control.
        """
        if self._chosen_run is not None:
            return self._chosen_run
        return choose_default(list_standings(self._cohort.fetch))

    def describe_run_faults(self, run: str | None) -> tuple[str, ...]:
        """What is said before any number of a run that is not to be taken unasked."""
        if run is None:
            return ()
        standing = next(
            (each for each in list_standings(self._cohort.fetch) if each.run == run), None
        )
        return tuple(describe_faults(standing, self._cohort.evaluation_document(run)))

    def choose_run(self, run: str | None) -> None:
        """Show the predictions and neighbours of `run`; None: the newest.

        Raises CohortError when the store holds no such run.
        """
        known = [each.run for each in self._cohort.runs()]
        if run is not None and run not in known:
            names = ", ".join(safe(each, max_length=40) for each in known) or "none"
            raise CohortError(f"expected one of the store's runs ({names}), got {safe(run)!r}")
        self._chosen_run = run

    def load_predictions_by_run(self, patient: str, visit: int) -> RunTable | None:
        """One patient's phenotypes as every run predicts them; None when none does."""
        by_run: dict[str, dict[str, Prediction]] = {}
        for each in self._cohort.predictions(patient):
            if each.visit == visit:
                found = Prediction(each.value, each.low, each.high)
                by_run.setdefault(each.run, {})[each.name] = found
        if not by_run:
            return None
        measured = {
            each.name: each.value
            for each in self._cohort.phenotypes(patient)
            if each.visit == visit
        }
        return build_patient_table(by_run, measured)

    def _load_map(
        self, run: str | None, patient: str, visit: int
    ) -> tuple[Float32[Array, "13 13"] | None, str]:
        """The visit's own map, or why there is none."""
        if run is None:
            return None, "no model yet, so no map"
        found = load_alignment_map(self._cohort.opened, run, patient, visit)
        if found is not None:
            return found, ""
        if not has_alignment_maps(self._cohort.opened, run):
            return None, "no maps of this run: ptacl embed writes them"
        return None, "no map of this visit: it takes a whole beat and a cine"

    def _find_distribution(
        self, patient: str, visit: int, run: str | None
    ) -> OutOfDistribution | None:
        if run is None:
            return None
        for each in self._cohort.out_of_distribution(patient, run):
            if each.visit == visit and each.modality == "ecg":
                return OutOfDistribution(each.is_flagged, each.score)
        return None

    def _build_phenotypes(
        self, row: Mapping[str, Any], predicted: Mapping[str, Prediction]
    ) -> tuple[PhenotypeValue, ...]:
        references = self._load_references(row["sex"])
        return tuple(
            PhenotypeValue(
                name=name,
                predicted=predicted.get(name),
                measured=row[name],
                reference=references.get(name),
            )
            for name in PHENOTYPE_NAMES
        )

    def _load_references(self, sex: str | None) -> Mapping[str, Reference]:
        if sex is None:
            return {}
        with self._guard:
            known = self._references.get(sex)
        if known is not None:
            return known
        parts = ", ".join(
            f"quantile_cont({name}, 0.025), quantile_cont({name}, 0.975), avg({name}), "
            f"stddev_samp({name}), count({name})"
            for name in PHENOTYPE_NAMES
        )
        query = f"SELECT {parts} FROM overview WHERE sex = ?"  # noqa: S608 - our own names
        row = self._cohort.fetch(query, [sex])[0]
        references = {
            name: Reference(*row[5 * index : 5 * index + 5])
            for index, name in enumerate(PHENOTYPE_NAMES)
            if row[5 * index + 4] >= MIN_REFERENCE_PATIENTS
        }
        with self._guard:
            self._references[sex] = references
        return references


def _summarise_row(row: Mapping[str, Any]) -> PatientSummary:
    return PatientSummary(
        patient=row["patient"],
        visit=int(row["visit"]),
        split=_safe_or_none(row["split"]),
        sex=_sex(row["sex"]),
        age_years=row["age_years"],
        heart_rate_bpm=row["heart_rate_bpm"],
        has_ecg=bool(row["has_ecg"]),
        has_cmr=bool(row["has_cmr"]),
        num_findings=int(row["num_findings"]),
        measured={name: row[name] for name in PHENOTYPE_NAMES if row[name] is not None},
    )


def _view_saved(saved: SavedCohort) -> SavedCohortView:
    return SavedCohortView(
        name=safe(saved.name, max_length=60),
        steps=tuple(
            (safe(step.label, max_length=60), step.num_rows, step.num_patients)
            for step in saved.attrition
        ),
        criteria=tuple(safe(step.filter_sql, max_length=2000) for step in saved.attrition[1:]),
    )


def _clean_finding(finding: Finding) -> Finding:
    return Finding(
        safe(finding.code, max_length=40),
        finding.severity if finding.severity in ("info", "warning", "reject") else "warning",
        safe(finding.message, max_length=300),
        tuple(safe(lead, max_length=8) for lead in finding.leads),
    )


def _safe_or_none(text: str | None) -> str | None:
    return None if text is None else safe(text, max_length=40)


def _sex(text: str | None) -> str | None:
    """F or M for the ways a source may write them, else the text itself."""
    if text is None:
        return None
    return {"female": "F", "male": "M"}.get(text.lower(), safe(text, max_length=8))
