"""What erase, verify and selftest print."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ptacl_core.cli.output import print_line
from ptacl_core.safety.text.printable import clean_text

if TYPE_CHECKING:
    from ptacl_core.cohort.erasure.certificate import Certificate
    from ptacl_core.cohort.health.self_test import SelfCheck
    from ptacl_core.cohort.health.verification import Verification
    from ptacl_core.stages.custody.withdraw import WithdrawalSummary

_LINE_CHARACTERS = 500


def print_certificate(certificate: "Certificate") -> None:
    """What left, what was searched, and what erasing cannot reach."""
    num_people = len(certificate.tombstones)
    print_line(f"erased: {num_people} {'person' if num_people == 1 else 'people'}")
    removed = {**certificate.removed_rows, **certificate.notes}
    shown = ", ".join(f"{count} of {table}" for table, count in sorted(removed.items()) if count)
    _line(f"  rows removed: {shown or 'none'}; arrays zeroed: {certificate.removed_shard_rows}")
    for cleaned in certificate.cleaned_files:
        _line(f"  {cleaned.file}: {cleaned.action}")
    megabytes = certificate.num_bytes_searched / 1e6
    _line(f"  searched: {certificate.num_files_searched} files, {megabytes:.1f} MB")
    for hit in certificate.hits:
        _line(f"  TRACE LEFT: {hit}")
    for unread in certificate.not_searched:
        _line(f"  NOT SEARCHED: {unread}")
    if certificate.trained_runs:
        _line(
            f"  runs trained with them: {', '.join(certificate.trained_runs)}; their weights stay, "
            "and are marked"
        )
        _line("  without them: ptacl train COHORT --config runs/RUN/config.toml --run NEW-NAME")
    if certificate.unknown_runs:
        _line(
            f"  runs that may hold them: {', '.join(certificate.unknown_runs)}; who was in their "
            "training was not recorded"
        )
    if certificate.open_readers:
        processes = ", ".join(map(str, certificate.open_readers))
        _line(f"  still show the older version until they close: processes {processes}")
    outcome = "nothing of them was found" if certificate.is_complete else "NOT COMPLETE"
    _line(f"  {outcome}; certificate: {certificate.path}")


def print_withdrawal(summary: "WithdrawalSummary") -> None:
    """How many of a list were in the cohort, had left it, or are still to come."""
    _line(
        f"{summary.cohort.name}: {summary.listed} listed; {summary.matched} were in the cohort and "
        f"are erased, {summary.already_gone} had left before, {summary.not_yet_seen} are not in it "
        "and stay out"
    )
    if summary.certificate is not None:
        print_certificate(summary.certificate)


def print_verification(verification: "Verification") -> None:
    """The verdict, then every defect by name."""
    for defect in verification.repaired:
        _line(f"repaired  {defect}")
    for defect in verification.defects:
        _line(f"defect    {defect}")
    for remark in verification.remarks:
        _line(f"note      {remark}")
    if verification.is_whole:
        print_line(f"whole: {verification.num_checks} checks, no defect")
        return
    num_repairable = sum(defect.is_repairable for defect in verification.defects)
    hint = f"; --repair mends {num_repairable} of them" if num_repairable else ""
    print_line(f"{len(verification.defects)} defects in {verification.num_checks} checks{hint}")


def print_self_test(checks: Sequence["SelfCheck"]) -> None:
    """Goals with their counts."""
    for check in checks:
        verdict = "held" if check.is_passed else "NOT HELD"
        _line(
            f"{check.num_passed:4d}/{check.num_tried:<4d} {verdict:8s} {check.goal}: {check.what}"
        )
    num_held = sum(check.is_passed for check in checks)
    print_line(f"{num_held} of {len(checks)} goals held")


def _line(text: str) -> None:
    print_line(clean_text(text, max_length=_LINE_CHARACTERS))
