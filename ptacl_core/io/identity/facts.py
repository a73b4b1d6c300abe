"""What a file says of whose it is and when it was made; used for pairing, never stored."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

_PLACEHOLDERS = re.compile(
    r"|none|null|nil|na|nan|n/a|unknown|unkn?|anon\w*|an[oó]nimo|de-?identified|deid\w*|"
    r"removed|redacted|masked|withheld|blank|empty|confidential|private|xx+|\*+|-+|\.+|\?+|_+|"
    r"(?:no|test|dummy|any|the)?[ _^-]?(?:id|patient|patientid|name|subject|person)|test|phantom|"
    r"dummy|default|sample|example|([0-9x])\1*|123456789?0?|1234|12345|(?:not|un)[ _-]?\w+"
)
_BLANKS = re.compile(r"[\s^]+")


@dataclass(frozen=True, slots=True)
class InsideFacts:
    """What a file says of its person and its time; "" and None where it says nothing.

    `coding` names who numbers people there: "dicom", "muse", "cardiosoft", "philips", "aecg",
    "scp", "edf", "wfdb". Identifiers of different codings are compared with care.
    """

    identifier: str = ""
    coding: str = ""
    acquired: datetime | None = None
    sex: str = ""
    birth_date: str = ""


NO_FACTS = InsideFacts()


def clean_identifier(text: str) -> str:
    """`text` as an identifier: NFC, single blanks, "" for what stands for "nobody".

    Blank fields, words such as "anonymous" or "removed", a repeated digit and counting digits
    are what people write who may not write an identifier.
    """
    tidy = _BLANKS.sub(" ", unicodedata.normalize("NFC", text)).strip().strip("\0").strip()
    if _PLACEHOLDERS.fullmatch(tidy.casefold()) and not re.fullmatch(r"[1-9]", tidy):
        return ""
    return tidy


def fold_identifier(text: str) -> str:
    """The form in which identifiers are compared: case, blanks and leading zeros do not count."""
    letters = re.sub(r"[\s_\-]", "", unicodedata.normalize("NFKC", text).casefold())
    return re.sub(r"^([a-z]*)0+(?=\d)", r"\1", letters)


def find_shape(text: str) -> str:
    """Letters as A, digits as 9, each with its count: identifiers of one coding look alike."""
    return re.sub(
        r"[^\W\d_]+|\d+",
        lambda match: f"{'9' if match[0][0].isdecimal() else 'A'}{len(match[0])}",
        text.strip(),
    )
