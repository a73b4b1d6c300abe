"""Sex columns: words, or numbers whose coding is known or declared. Never a guess.

UK Biobank codes 0 female, 1 male; ISO 5218 1 male, 2 female; PTB-XL 0 male, 1 female. A column
of 0 and 1 alone fits the first and the last, so it is read only when the table, its name or its
owner says which.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ptacl_core.errors import ConfigError
from ptacl_core.io.phenotypes.cells import MISSING
from ptacl_core.io.phenotypes.sex_words import SEX_WORDS, find_letters
from ptacl_core.records import Finding

_ISO_5218 = {"1": "M", "2": "F"}
_ISO_UNKNOWN = {"0", "9"}
CODINGS: dict[str, dict[str, str]] = {
    "ukb": {"0": "F", "1": "M"},
    "ptb_xl": {"0": "M", "1": "F"},
    "iso_5218": _ISO_5218,
    "male_flag": {"0": "F", "1": "M", "false": "F", "true": "M", "no": "F", "yes": "M"},
    "female_flag": {"0": "M", "1": "F", "false": "M", "true": "F", "no": "M", "yes": "F"},
}
"""Known codings by name; a declared one may be any of these or a mapping of its own."""


def check_sex_coding(declared: str | Mapping[str, str] | None) -> dict[str, str] | None:
    """A declared coding as a mapping from cell to F or M: a name of `CODINGS`, `0=F,1=M`, or so.

    Raises ConfigError for anything else.
    """
    if declared is None:
        return None
    if isinstance(declared, str) and declared in CODINGS:
        return CODINGS[declared]
    if isinstance(declared, str):
        pairs = [part.partition("=") for part in declared.split(",")]
        declared = {code.strip(): sex.strip() for code, _, sex in pairs}
    coding = {str(code).strip().lower(): str(sex).upper() for code, sex in declared.items()}
    if not coding or not set(coding.values()) <= {"F", "M"} or "" in coding:
        raise ConfigError(
            f"sex coding: expected one of {', '.join(CODINGS)}, or codes such as 0=F,1=M"
        )
    return coding


def parse_sexes(
    cells: Sequence[str],
    findings: list[Finding],
    *,
    declared: Mapping[str, str] | None = None,
    usual: Mapping[str, str] | None = None,
    language: str = "",
) -> np.ndarray:
    """F, M or None for each cell; `declared` is what its numbers mean, as their owner says.

    Without it, ISO 5218 counts where a 2 occurs, else the `usual` coding of such a table; a column
    of 0 and 1 alone stays empty without either (`sex_ambiguous`). Words are always read;
    `language` ("spanish", "dutch") is that of the column's name, which tells what letters mean.
    """
    words = [cell.strip().lower().removesuffix(".0") for cell in cells]
    kinds = set(words) - MISSING
    codes = kinds & {"0", "1", "2"}
    coding = declared or (_ISO_5218 if "2" in codes else usual)
    is_ambiguous = coding is None and bool(codes)
    if is_ambiguous:
        findings.append(
            Finding(
                "sex_ambiguous",
                "warning",
                "sex is coded 0 and 1, and the table does not say which is which (UK Biobank: 0 "
                "female, PTB-XL: 0 male); declare it, as 0=F,1=M",
            )
        )
    elif codes and coding is not None:
        meaning = {"F": "female", "M": "male"}
        said = [f"{code} {meaning[coding[code]]}" for code in sorted(codes) if code in coding]
        message = f"sex is coded in numbers, read as {', '.join(said)}"
        findings.append(Finding("sex_coded", "info", message))
    letters = find_letters(kinds, language) if declared is None else {}
    known = SEX_WORDS | (letters or {}) | dict(coding or {})
    if letters is None:
        codes |= {"h", "m", "v"}
        is_ambiguous = True
        known.pop("m")
        message = "sex: m may be male, or mujer beside h or v; declare it, as h=M,m=F or f=F,m=M"
        findings.append(Finding("sex_ambiguous", "warning", message))
    result = np.array([known.get(word) for word in words], dtype=object)
    unknown = _ISO_UNKNOWN if coding is _ISO_5218 else set()
    unknown = unknown | (codes if is_ambiguous else set())
    num_bad = sum(word not in known and word not in MISSING | unknown for word in words)
    if num_bad:
        findings.append(
            Finding("sex_unknown", "warning", f"sex: {num_bad} cells are neither female nor male")
        )
    return result
