"""`ptacl report COHORT RUN --checklist`: what a run and its cohort answer of a checklist."""

from pathlib import Path
from typing import Literal

from ptacl_core import __version__
from ptacl_core.documents.figures import SOURCE_NOTES
from ptacl_core.documents.reviews import ChecklistDocument
from ptacl_core.runs.health import explain_unfit
from ptacl_core.stages.report import claim, tripod_ai
from ptacl_core.stages.report.facts import RunFacts, collect_facts, name_sources
from ptacl_core.stages.report.items import answer_item

ChecklistName = Literal["tripod-ai", "claim"]
CHECKLISTS = {
    "tripod-ai": (tripod_ai.TITLE, tripod_ai.REFERENCE, tripod_ai.ITEMS),
    "claim": (claim.TITLE, claim.REFERENCE, claim.ITEMS),
}


def run(
    cohort_dir: Path, run: str, checklist: ChecklistName, *, validation: Path | None = None
) -> ChecklistDocument:
    """Answer every item from disk, or leave it to the author.

    `validation` is what `ptacl validate` wrote of the packed run. Raises CohortError where there is
    no such run, ConfigError for a validation of other weights, and what readers raise for damaged
    files.
    """
    facts = collect_facts(cohort_dir, run, validation)
    unfit = explain_unfit(cohort_dir / "runs" / run)
    return answer_checklist(facts, checklist, cohort=cohort_dir.name, run=run, unfit=unfit)


def answer_checklist(
    facts: RunFacts, checklist: ChecklistName, *, cohort: str, run: str, unfit: str | None = None
) -> ChecklistDocument:
    """The document from facts; what is None among them is not spoken of."""
    title, reference, items = CHECKLISTS[checklist]
    sources = name_sources(run)
    source = facts.cohort.source if facts.cohort is not None else "files"
    return ChecklistDocument(
        checklist=checklist,
        title=title,
        reference=reference,
        cohort=facts.cohort.name if facts.cohort is not None else cohort,
        run=run,
        items=tuple(answer_item(item, facts, sources) for item in items),
        unfit=unfit,
        note=SOURCE_NOTES[source],
        software=__version__,
    )
