"""One patient: recordings, numbers, neighbours, map."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ptacl_app.data.patient_view import (
    Neighbour,
    OutOfDistribution,
    PatientView,
    PhenotypeValue,
    Prediction,
    RecordingSource,
    Reference,
)
from ptacl_app.data.reading.opened import OpenedReader
from ptacl_app.data.reading.words import read_sex, safe_or_none
from ptacl_app.data.recording_reader import NO_RAW
from ptacl_app.data.target_values import build_targets
from ptacl_app.text.formatting import safe
from ptacl_core.arrays import Array, Float32
from ptacl_core.cohort import Direction
from ptacl_core.cohort.alignment_maps import has_alignment_maps, load_alignment_map
from ptacl_core.errors import PtaclError
from ptacl_core.records import PHENOTYPE_NAMES, Finding

SIMULATED = "simulated: the cohort keeps the denoised ECG, and there is no file beside it"
MIN_REFERENCE_PATIENTS = 20
"""With fewer measured patients of a sex no reference range is drawn."""


class PatientReading(OpenedReader):
    """What the patient screen shows."""

    def load_device_figures(self, patient: str, visit: int) -> Mapping[str, float]:
        """What the recording device measured, by figure. Raises CohortError."""
        rows = self._cohort.fetch(
            "SELECT name, value FROM ecg_figures "
            "WHERE patient = ? AND visit = ? AND source = 'device'",
            [patient, visit],
        )
        return {str(name): float(value) for name, value in rows}

    def load_source(self, patient: str, visit: int) -> RecordingSource:
        """What the ECG of a visit was read from. Raises CohortError."""
        rows = self._cohort.fetch(
            "SELECT format FROM recordings WHERE patient = ? AND visit = ? AND modality = 'ecg'",
            [patient, visit],
        )
        if not rows:
            return RecordingSource("", "the store does not say what the ECG was read from")
        if rows[0][0] == "simulated":
            return RecordingSource("", SIMULATED)
        return RecordingSource(self._recordings.read_file_hash(patient, visit), NO_RAW)

    def list_ecg_visits(self, patient: str, *, besides: int) -> tuple[int, ...]:
        """Other visits of a person that have an ECG, in order. Raises CohortError."""
        rows = self._cohort.fetch(
            "SELECT visit FROM overview WHERE patient = ? AND has_ecg AND visit <> ? ORDER BY 1",
            [patient, besides],
        )
        return tuple(int(row[0]) for row in rows)

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
            prediction.name: Prediction(
                prediction.value,
                prediction.low,
                prediction.high,
                z_score=prediction.z_score,
                interval_group=prediction.interval_group
                and safe(prediction.interval_group, max_length=20),
            )
            for prediction in predictions
            if prediction.visit == visit_number
        }
        coverage = next(
            (prediction.coverage for prediction in predictions if prediction.coverage), None
        )
        similarity_map, map_note = self._load_map(run, patient, visit_number)
        return PatientView(
            patient=patient,
            visit=visit_number,
            split=safe_or_none(row["split"]),
            sex=read_sex(row["sex"]),
            age_years=row["age_years"],
            run=None if run is None else safe(run, max_length=60),
            ecg=ecg,
            cine=cine,
            phenotypes=self._build_phenotypes(row, predicted),
            targets=build_targets(
                self._cohort.targets(),
                predicted,
                self._cohort.target_values(patient=patient),
                visit=visit_number,
                phenotypes={name: row[name] for name in PHENOTYPE_NAMES},
            ),
            findings=tuple(_clean_finding(finding) for finding in (*findings, *faults)),
            out_of_distribution=self._find_distribution(patient, visit_number, run),
            neighbours=neighbours,
            coverage=coverage,
            run_faults=self.describe_run_faults(run),
            similarity_map=similarity_map,
            map_note=map_note,
        )

    def settle_direction(self, direction: str) -> str:
        """`direction`, or ECG to ECG where the run in use was trained without cines."""
        held = self._cohort.fetch(
            "SELECT DISTINCT modality FROM embedding_sets WHERE run = ?", [self.find_run()]
        )
        return "ecg-ecg" if {str(row[0]) for row in held} == {"ecg"} else direction

    def load_neighbours(
        self,
        patient: str,
        *,
        visit: int | None = None,
        k: int = 10,
        direction: Direction | None = None,
        where: str | None = None,
    ) -> tuple[Neighbour, ...]:
        """The nearest patients. Raises CohortError without embeddings, QueryError for `where`."""
        neighbours = self._cohort.neighbours(
            patient, k=k, run=self.find_run(), direction=direction, where=where, visit=visit
        )
        people = {
            row[0]: (row[1], row[2])
            for row in self._cohort.fetch(
                "SELECT patient, any_value(sex), any_value(age_years) FROM overview "
                "WHERE list_contains(?::VARCHAR[], patient) GROUP BY patient",
                [[neighbour.patient for neighbour in neighbours]],
            )
        }
        return tuple(
            Neighbour(
                patient=neighbour.patient,
                rank=neighbour.rank,
                similarity=neighbour.similarity,
                sex=read_sex(people.get(neighbour.patient, (None, None))[0]),
                age_years=people.get(neighbour.patient, (None, None))[1],
                measured=neighbour.phenotypes,
            )
            for neighbour in neighbours
        )

    def describe_neighbours(self, view: PatientView) -> PatientView:
        """`view` with sex, age and measured phenotypes of its neighbours filled in."""
        names = ", ".join(f"any_value({name})" for name in PHENOTYPE_NAMES)
        query = (
            f"SELECT patient, any_value(sex), any_value(age_years), {names} FROM overview "  # noqa: S608
            "WHERE list_contains(?::VARCHAR[], patient) GROUP BY patient"
        )
        rows = self._cohort.fetch(query, [[neighbour.patient for neighbour in view.neighbours]])
        people = {row[0]: row[1:] for row in rows}
        neighbours = []
        for neighbour in view.neighbours:
            row = people.get(neighbour.patient)
            if row is not None:
                measured = zip(PHENOTYPE_NAMES, row[2:], strict=True)
                neighbours.append(
                    replace(
                        neighbour,
                        sex=read_sex(row[0]),
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

    def _load_map(
        self, run: str | None, patient: str, visit: int
    ) -> tuple[Float32[Array, "13 13"] | None, str]:
        """The visit's own map, or why there is none."""
        if run is None:
            return None, "no model yet, so no map"
        alignment_map = load_alignment_map(self._cohort.opened, run, patient, visit)
        if alignment_map is not None:
            return alignment_map, ""
        if self.settle_direction("ecg-cmr") == "ecg-ecg":
            return None, "the run was trained on ECGs alone, so no map"
        if not has_alignment_maps(self._cohort.opened, run):
            return None, "no maps of this run: ptacl embed writes them"
        return None, "no map of this visit: it takes a whole beat and a cine"

    def _find_distribution(
        self, patient: str, visit: int, run: str | None
    ) -> OutOfDistribution | None:
        if run is None:
            return None
        for distribution in self._cohort.out_of_distribution(patient, run):
            if distribution.visit == visit and distribution.modality == "ecg":
                return OutOfDistribution(distribution.is_flagged, distribution.score)
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


def _clean_finding(finding: Finding) -> Finding:
    return Finding(
        safe(finding.code, max_length=40),
        finding.severity if finding.severity in ("info", "warning", "reject") else "warning",
        safe(finding.message, max_length=300),
        tuple(safe(lead, max_length=8) for lead in finding.leads),
    )
