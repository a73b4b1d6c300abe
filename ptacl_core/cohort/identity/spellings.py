"""One person under many spellings: 9000017, 9000017.0, 09000017, sub-9000017, a file's name.

A list of withdrawn people, a table and the names of files spell one identifier in different
ways. `canonical_identifier` brings them to one form, `list_spellings` goes the other way: a
pseudonym is made of the spelling that a file had, and cannot be turned back.
"""

import itertools
import re
import unicodedata
from decimal import Decimal
from pathlib import PureWindowsPath

from ptacl_core.io.files.number_text import is_rounded_number

_PREFIXES = (
    "sub",
    "subj",
    "subject",
    "patient",
    "pat",
    "pt",
    "pid",
    "participant",
    "eid",
    "id",
    "ukb",
    "ukbb",
    "ukbiobank",
)
_SEPARATORS = ("", "-", "_", " ")
_TAILS = ("ecg", "ekg", "rest", "cmr", "mri", "cine", "sax", "heart", "12lead")
_MOST_ZEROS = 3
_ENDINGS = re.compile(
    r"(?:\.(?:xml|zip|csv|tsv|txt|json|npy|npz|dcm|edf|bdf|hea|mat|dat|scp|ecg|nii|h5|hdf5|parquet"
    r"|gz|xz|bz2))+$",
    re.IGNORECASE,
)
_BULK = re.compile(r"(?P<stem>.+?)_\d{4,5}_\d+(?:_\d+)?")
_TAIL_WORDS = re.compile(
    r"(?:[_-](?:" + "|".join(_TAILS) + r"|dicom|xml|baseline|followup|sa|lax"
    r"|(?:ses|visit|run|task|acq|v|i)-?\d{1,3}))+$",
    re.IGNORECASE,
)
_PREFIXED = re.compile(
    r"(?:f\.|n_)?(?:" + "|".join((*_PREFIXES, *_TAILS)) + r")[-_ .:#=]*(?P<number>\d[\d.,]*)"
)
_EDGES = " \t\r\n\v\f\"'`´‘’“”;:|,/\\()[]{}<>#=*"
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]")
_INSTANCE = re.compile(r"(?P<stem>\d{7})_\d_\d{1,2}")
_GROUPED = re.compile(r"\d{1,3}(?:(?:,\d{3})+|(?: \d{3})+)(?:\.0*)?")
_POWER = re.compile(r"\d(?:\.\d*)?e\+?\d{1,2}|\d+e\+?00?")
_NUMBER = re.compile(r"0*(?P<digits>\d+)(?:[.,]0*)?")


def canonical_identifier(text: str) -> str:
    """The form that all spellings of one identifier share; "" for text that is none.

    Blanks, quotes, marks around it, file endings, UK Biobank's field and instance, words such as
    `_ecg`, known prefixes before a number, leading zeros, signs between thousands and `.0` do not
    count; letters count in any case. What is not a number keeps its letters, so that A12 and B12
    stay two people.
    """
    name = _UNSEEN.sub("", unicodedata.normalize("NFKC", text)).strip(_EDGES).casefold()
    if _ENDINGS.search(name) and re.search(r"[/\\]", name):
        name = PureWindowsPath(name).name  # knows both kinds of separators
    name = _ENDINGS.sub("", name)
    instance = _INSTANCE.fullmatch(name)
    name = instance["stem"] if instance else _write_out(name)
    bulk = _BULK.fullmatch(name)
    name = bulk["stem"] if bulk else _TAIL_WORDS.sub("", name)
    prefixed = _PREFIXED.fullmatch(name)
    number = _NUMBER.fullmatch(prefixed["number"] if prefixed else name)
    if number is not None:
        return number["digits"]
    return re.sub(r"[\s_-]+", "-", name)


def _write_out(name: str) -> str:
    """Digits of a number with its thousands set apart, or in powers of ten with all digits."""
    if _GROUPED.fullmatch(name):
        return re.sub("[ ,]", "", name)
    if name.startswith("+") and name[1:].isdecimal():
        return name[1:]
    if _POWER.fullmatch(name) and not is_rounded_number(name):
        value = Decimal(name)
        return str(int(value)) if value == int(value) else name
    return name


def list_spellings(text: str) -> tuple[str, ...]:
    """Spellings of one identifier that files and tables are known to use, as given first."""
    given = unicodedata.normalize("NFC", text).strip()
    canonical = canonical_identifier(text)
    if not canonical.isdecimal():
        forms = (given, given.casefold(), given.upper(), canonical, canonical.upper())
        return tuple(dict.fromkeys(form for form in forms if form))
    padded = [canonical.rjust(len(canonical) + zeros, "0") for zeros in range(_MOST_ZEROS + 1)]
    spellings = dict.fromkeys([given, *padded, *(f"{padded_form}.0" for padded_form in padded)])
    for prefix, separator, number in itertools.product(_PREFIXES, _SEPARATORS, padded):
        for word in (prefix, prefix.upper(), prefix.capitalize()):
            spellings[f"{word}{separator}{number}"] = None
    for tail, separator, number in itertools.product(_TAILS, "_-", padded[:2]):
        for word in (tail, tail.upper()):
            spellings[f"{number}{separator}{word}"] = None
    return tuple(spellings)
