"""What `ptacl preprocess` prints: the counts of a plan, and of what a run did with it."""

from ptacl_core.cli.output import narrate, print_json, print_line
from ptacl_core.stages.preprocess.plan import PlanSummary
from ptacl_core.stages.preprocess.summary import PreprocessSummary

_MEANING = {
    "identity_contradicts": "identifiers contradict one another",
    "identity_unknown": "nothing tells whose they are",
    "same_name_elsewhere": "the same name lies in several places",
    "not_in_table": "the data set's table does not list them",
    "other_version": "another version of the same recording was taken",
    "unreadable_file": "the file cannot be read",
}


def print_outcome(summary: PlanSummary | PreprocessSummary, *, as_json: bool) -> None:
    """The counts of a plan, or of what a run took, left out and why, in the same words."""
    if as_json:
        print_json(summary.document().as_dict())
    elif isinstance(summary, PlanSummary):
        _print_plan(summary)
    else:
        _print_run(summary)


def _print_plan(plan: PlanSummary) -> None:
    _print_counts(plan.counts, plan.identity_reasons, plan.notes)
    for side, people in plan.splits.items():
        print_line(f"  {people:6d}  people in {side}")
    _print_tables(plan.tables)
    if plan.path is not None:
        narrate(f"the plan is {plan.path}; correct it and give it back with --pairs {plan.path}")


def _print_run(summary: PreprocessSummary) -> None:
    print_line(
        f"accepted: {summary.accepted['ecg']} ECG, {summary.accepted['cmr']} CMR, "
        f"{summary.accepted['pairs']} pairs; left out: {summary.rejected}"
    )
    for reason, count in summary.reasons.items():
        print_line(f"  {count:6d}  {reason}")
    if summary.finished or summary.completed or summary.changed:
        print_line(
            f"visits: {summary.finished} finished before, {summary.completed} completed, "
            f"{summary.changed} made again after a change"
        )
    _print_counts(summary.plan, summary.identity_reasons, summary.notes)
    _print_tables(summary.tables)
    for name, (left_out, num_rows) in summary.without_visit.items():
        if left_out:
            print_line(
                f"{'WARNING: ' * (left_out == num_rows)}{name}: {left_out} of {num_rows} rows of "
                "people with recordings are of a visit that has none here"
            )


def _print_counts(counts: dict[str, int], reasons: dict[str, int], notes: tuple[str, ...]) -> None:
    print_line(
        f"plan: {counts['people']} people, {counts['visits']} visits, {counts['ecg']} ECG, "
        f"{counts['cmr']} CMR, {counts['pairs']} pairs; without a partner: "
        f"{counts['ecg_alone']} ECG, {counts['cmr_alone']} CMR"
    )
    if counts["pairs_far_apart"]:
        print_line(
            f"WARNING: {counts['pairs_far_apart']} pairs lie more than 90 days apart "
            "(--within-days N)"
        )
    if counts["recordings_left_out"]:
        print_line(
            f"WARNING: {counts['recordings_left_out']} recordings are left out, since it is not "
            "known whose they are or which to take:"
        )
        for reason, count in reasons.items():
            print_line(f"  {count:6d}  {_MEANING.get(reason, reason)}")
    for note in notes:
        print_line(f"note: {note}")


def _print_tables(tables: dict[str, tuple[int, int]]) -> None:
    for name, (matched, total) in tables.items():
        if total == 0:
            print_line(f"WARNING: {name}: no row of it names a person")
        elif matched == 0:
            print_line(f"WARNING: {name}: none of its {total} people has a recording here")
        elif matched < total:
            print_line(f"{name}: {matched} of its {total} people have recordings")
        else:
            print_line(f"{name}: all of its {total} people have recordings")
