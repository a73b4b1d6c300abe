"""Visits of a plan → tasks under pseudonyms, without people who left the cohort."""

from collections.abc import Mapping, Sequence

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.identity.keys import CohortKey
from ptacl_core.cohort.identity.register import open_register
from ptacl_core.ingest.plan import Plan
from ptacl_core.ingest.shard_files import VisitTask


def build_tasks(
    plan: Plan, patients: Mapping[str, str], *, splits: Mapping[str, str] | None = None
) -> list[VisitTask]:
    """One task per visit; `patients` gives the pseudonym of a subject.

    `splits` holds the side of people whom the cohort has already (by pseudonym), which stays;
    others get that of the data set, if it has one.
    """
    known = splits or {}
    return [
        VisitTask(
            patient=patients[visit.subject],
            subject=visit.subject,
            visit=visit.number,
            ecg=visit.ecg.path if visit.ecg is not None else None,
            cmr=visit.cmr.path if visit.cmr is not None else None,
            cmr_centre_px=visit.centre_px,
            ecg_hints=dict(visit.ecg.hints) if visit.ecg is not None else {},
            split=known.get(patients[visit.subject], visit.split),
            cmr_hints=dict(visit.cmr.hints) if visit.cmr is not None else {},
            is_numbered=visit.label == str(visit.number),
            num_bytes=visit.num_bytes,
        )
        for visit in plan.visits
    ]


def leave_out_erased(
    plan: Plan, tasks: Sequence[VisitTask], cohort: Cohort, key: CohortKey
) -> tuple[list[VisitTask], int]:
    """`tasks` without people who withdrew, and how many people those are.

    The register of the cohort and that of its key know them by identifier, in any spelling.
    Their other files leave the plan too, so that nothing of them is written down again.
    """
    subjects = {file.subject for file in plan.unused if file.subject.strip()}
    pseudonyms = {subject: key.pseudonym(subject) for subject in subjects}
    erased = cohort.find_erased({*(task.patient for task in tasks), *pseudonyms.values()})
    withdrawn = open_register(cohort.layout, key)
    pseudonyms.update({task.subject: task.patient for task in tasks})
    erased |= {
        pseudonym
        for subject, pseudonym in pseudonyms.items()
        if withdrawn.holds_identifier(subject)
    }
    plan.unused = [file for file in plan.unused if pseudonyms.get(file.subject) not in erased]
    return [task for task in tasks if task.patient not in erased], len(erased)
