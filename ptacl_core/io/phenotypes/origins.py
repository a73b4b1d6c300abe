"""Where a table comes from, as far as its column names tell: shared titles, codings, scanners."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ptacl_core.io.phenotypes.columns import ColumnMeaning
from ptacl_core.io.phenotypes.sex_coding import CODINGS
from ptacl_core.io.phenotypes.spellings import SCANNER_TITLES
from ptacl_core.records import Finding

_PTB_XL_NAMES = {"ecg_id", "patient_id", "scp_codes"}
_UK_BIOBANK_SUBJECTS = {"eid", "feid", "participant.eid", "participant id", "participant.id"}


def find_sex_coding(names: Sequence[str]) -> Mapping[str, str] | None:
    """The coding of sex that the columns beside it give away, None when they do not.

    PTB-XL's database is known by its columns, UK Biobank by the name of its identifier.
    """
    words = {name.strip().strip("\ufeff\"'").lower() for name in names}
    if words >= _PTB_XL_NAMES:
        return CODINGS["ptb_xl"]
    if words & _UK_BIOBANK_SUBJECTS:
        return None if _has_flag(words) else CODINGS["ukb"]
    return None


def resolve_shared_titles(
    meanings: Mapping[int, ColumnMeaning], names: Sequence[str], findings: list[Finding]
) -> dict[int, ColumnMeaning]:
    """Meanings with titles that two derivations share put where they belong.

    UK Biobank's fields 22420 to 22423 (the scanner's contours) and 24100 to 24103 have the same
    titles. A title that stands twice for an instance is used for neither; beside titles that only
    the scanner's fields have, and without those that only the others have, it is the scanner's.
    """
    shared = {index: meaning for index, meaning in meanings.items() if meaning.shared_title}
    if not shared:
        return dict(meanings)
    counts = Counter((meaning.quantity, meaning.instance) for meaning in shared.values())
    doubled = {
        index for index, meaning in shared.items() if counts[meaning.quantity, meaning.instance] > 1
    }
    resolved = {index: meaning for index, meaning in meanings.items() if index not in doubled}
    if doubled:
        message = (
            f"{len(doubled)} columns share a title that fields 22420 to 22423 and 24100 to 24103 "
            "both have, and were not used; export field names instead of titles"
        )
        findings.append(Finding("ambiguous_titles", "warning", message))
    words = [" ".join(re.findall(r"[a-z0-9]+", name.lower())) for name in names]
    has_scanner_titles = any(word.startswith(title) for word in words for title in SCANNER_TITLES)
    has_other_titles = any(
        word.startswith(("rv ", "lv myocardial", "lv cardiac")) for word in words
    )
    if has_scanner_titles and not has_other_titles:
        for index in shared.keys() - doubled:
            resolved[index] = replace(meanings[index], is_scanner=True)
    elif has_scanner_titles:
        message = "titles that two derivations share were taken as fields 24100 to 24103"
        findings.append(Finding("shared_titles", "warning", message))
    return resolved


def describe_set_apart(meanings: Iterable[ColumnMeaning]) -> list[Finding]:
    """Findings about columns of other derivations, which are not phenotypes here."""
    listed = list(meanings)
    num_scanner = sum(meaning.is_scanner for meaning in listed)
    num_others = sum(meaning.quantity == "other_field" for meaning in listed)
    findings = []
    if num_scanner:
        message = (
            f"{num_scanner} columns hold what the scanner's own contours gave (22420 to 22424); "
            "they were kept apart and are not phenotypes"
        )
        findings.append(Finding("scanner_derived", "warning", message))
    if num_others:
        message = (
            f"{num_others} columns have a phenotype's title but another field than 24100 to "
            "24109, so another derivation; they were not used"
        )
        findings.append(Finding("other_derivation", "warning", message))
    return findings


def _has_flag(words: set[str]) -> bool:
    return bool(words & {"is_male", "male", "is_female", "female"})
