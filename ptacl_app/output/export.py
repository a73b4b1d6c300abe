"""What leaves the app: CSV, text and a report, all into the cohort's `exports/`.

Every file says that it is for research use only; no cell can be taken for a formula; a
predicted number never stands without its interval.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ptacl_app.data.chart_data import CohortChart
from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.data.patient_view import Neighbour, PatientView, QueryResult, RunTable, RunView
from ptacl_app.text.formatting import (
    RESEARCH_USE_SENTENCE,
    format_interval,
    format_number,
    format_prediction,
    format_sex_age,
    guard_cell,
    safe,
)
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.safety.files.atomic import write_json, write_text

ROWS_PER_READ = 20_000
_OVERVIEW = ("patient", "visit", "split", "sex", "age_years", "heart_rate_bpm")


def write_csv(
    path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]], *, about: str
) -> int:
    """Write a CSV, and beside it `<file>.about.json` with the notice; returns the rows written.

    `about` says what the rows are. Raises OSError.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([_cell(column) for column in columns])
    count = 0
    for row in rows:
        writer.writerow([_cell(value) for value in row])
        count += 1
    write_text(path, text.getvalue())
    notice = {"notice": RESEARCH_USE_SENTENCE, "about": safe(about), "num_rows": count}
    write_json(path.with_name(path.name + ".about.json"), notice)
    return count


def describe_failure(error: Exception, folder: Path) -> str:
    """Why nothing was written into `folder`, in one safe sentence that says what to do."""
    if not isinstance(error, OSError):
        return safe(error, max_length=400)
    reason = safe(error.strerror or type(error).__name__).lower()
    return (
        f"nothing was written into {safe(folder)}: {reason}; "
        "make room or allow writing there, then export again"
    )


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return value
    return guard_cell(safe(value, max_length=10_000))


def choose_path(reader: CohortReader, stem: str, suffix: str) -> Path:
    """A new path in `exports/` that says what and when; the audit log has it from now on.

    Raises CohortError when the log cannot be written: nothing leaves the app unseen.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    path = reader.export_dir / f"{stem}-{stamp}{suffix}"
    number = 2
    while path.exists():
        path = reader.export_dir / f"{stem}-{stamp}-{number}{suffix}"
        number += 1
    reader.log_export(path.name)
    return path


def export_overview(reader: CohortReader, *, where: str | None) -> tuple[Path, int]:
    """All patient-visits for which `where` holds, measured values. Raises CohortError, OSError."""
    rows: list[list[object]] = []
    offset = 0
    while True:
        page = reader.load_page(where=where, offset=offset, limit=ROWS_PER_READ)
        rows += [
            [
                row.patient,
                row.visit,
                row.split,
                row.sex,
                row.age_years,
                row.heart_rate_bpm,
                *(row.measured.get(name) for name in PHENOTYPE_NAMES),
            ]
            for row in page.rows
        ]
        offset += ROWS_PER_READ
        if offset >= page.total:
            break
    path = choose_path(reader, "patients", ".csv")
    columns = [*_OVERVIEW, *PHENOTYPE_NAMES]
    return path, write_csv(path, columns, rows, about=f"patients where {where or 'all'}")


def export_neighbours(
    reader: CohortReader, neighbours: Sequence[Neighbour], *, name_of: Callable[[str], str]
) -> Path:
    """A ranked list as CSV. Raises CohortError, OSError."""
    path = choose_path(reader, "neighbours", ".csv")
    rows = [
        [
            neighbour.rank,
            name_of(neighbour.patient),
            neighbour.similarity,
            neighbour.sex,
            neighbour.age_years,
            *(neighbour.measured.get(name) for name in PHENOTYPE_NAMES),
        ]
        for neighbour in neighbours
    ]
    columns = ["rank", "patient", "similarity", "sex", "age_years", *PHENOTYPE_NAMES]
    write_csv(path, columns, rows, about="nearest patients, measured values")
    return path


def export_result(reader: CohortReader, result: QueryResult) -> Path:
    """The rows of a statement as CSV, with a header even when there are none.

    Raises CohortError, OSError.
    """
    path = choose_path(reader, "query", ".csv")
    about = "the first rows of a statement" if result.is_cut else "the rows of a statement"
    write_csv(path, result.columns, result.rows, about=about)
    return path


def export_run_table(reader: CohortReader, run: RunView, table: RunTable) -> Path:
    """One table of an evaluation as CSV. Raises CohortError, OSError."""
    path = choose_path(reader, "evaluation", ".csv")
    rows = [[run.run, *row] for row in table.rows]
    write_csv(path, ["run", *table.headings], rows, about=table.title)
    return path


def export_chart(
    reader: CohortReader, shown: CohortChart, *, name_of: Callable[[str], str]
) -> Path:
    """The points of a chart as CSV. Raises CohortError, OSError."""
    path = choose_path(reader, "chart", ".csv")
    chart = shown.chart
    ys = chart.y.tolist() if chart.heights is None else [None] * len(shown.people)
    rows = [
        [name_of(patient), visit, x, y, chart.group_labels[group]]
        for (patient, visit), x, y, group in zip(
            shown.people, chart.x.tolist(), ys, chart.groups.tolist(), strict=True
        )
    ]
    columns = ["patient", "visit", chart.x_label, chart.y_label, "group"]
    write_csv(path, columns, rows, about=f"{chart.kind.value}: " + "; ".join(chart.remarks))
    return path


def write_patient_text(patient: PatientView, *, name_of: Callable[[str], str]) -> str:
    """The numbers of the patient screen as lines of text."""
    lines = [
        f"{name_of(patient.patient)}\t{format_sex_age(patient.sex, patient.age_years)}\t"
        f"visit {patient.visit}",
        "phenotype\tpredicted\tinterval\tmeasured\tunit",
    ]
    for value in (*patient.phenotypes, *patient.targets):
        predicted = value.predicted
        lines.append(
            "\t".join(
                (
                    value.label,
                    format_prediction(None if predicted is None else predicted.value, value.unit),
                    format_interval(
                        None if predicted is None else predicted.low,
                        None if predicted is None else predicted.high,
                        value.unit,
                    ),
                    format_number(value.measured, unit=value.unit),
                    value.unit,
                )
            )
        )
    lines += [f"{finding.severity}: {finding}" for finding in patient.findings]
    if patient.run is not None:
        lines.append(f"run {patient.run}")
    return "\n".join([*lines, RESEARCH_USE_SENTENCE])
