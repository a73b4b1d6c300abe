"""A patient's report as a file, without a screen: what `ptacl-app report` writes."""

from pathlib import Path

from ptacl_app.data.cohort_check import check_cohort
from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.output.export import choose_path, describe_failure
from ptacl_app.output.report import write_report
from ptacl_app.text.formatting import safe
from ptacl_core.errors import CohortError
from ptacl_core.safety.files.atomic import write_text


def write_report_file(
    cohort: Path, *, patient: str, visit: int | None, run: str | None, out: Path | None
) -> str:
    """Write it to `out`, else into the cohort's exports/; its path, safe to print.

    The audit log has it before the file is there. Raises PtaclError.
    """
    reader = CohortReader.open(check_cohort(cohort))
    try:
        if run is not None:
            reader.choose_run(run)
        view = reader.load_patient(patient, visit)
        if out is not None:
            reader.log_export(out.name)
        path = out or choose_path(reader, "report", ".html")
        try:
            write_text(path, write_report(view, name=safe(view.patient, max_length=60)))
        except OSError as error:
            raise CohortError(describe_failure(error, path.parent)) from None
    finally:
        reader.close()
    return safe(path, max_length=4000)
