"""An empty cohort: its folders, its store, its description."""

from ptacl_core.cohort.layout import CohortDescription, CohortLayout, Source, draw_cohort_id
from ptacl_core.cohort.writing.transaction import write_cohort
from ptacl_core.errors import CohortError


def create_cohort(
    layout: CohortLayout, *, name: str, source: Source, preprocessing_hash: str
) -> None:
    """Make an empty cohort; the description is written last.

    Raises CohortError when there is a cohort already, or it cannot be made.
    """
    if layout.description.exists() or layout.store.exists():
        raise CohortError(
            f"{layout.root}: there is a cohort already; give another folder, or erase this one"
        )
    try:
        layout.root.mkdir(parents=True, exist_ok=True)
        for folder in (layout.root, layout.shards, layout.runs, layout.exports):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)
        description = CohortDescription(
            name=name,
            source=source,
            preprocessing_hash=preprocessing_hash,
            cohort_id=draw_cohort_id(),
        )
        with write_cohort(layout, purpose="create"):
            pass
        description.write(layout)
    except OSError as error:
        raise CohortError(
            f"{layout.root}: a cohort could not be made there ({error.strerror or error})"
        ) from None
