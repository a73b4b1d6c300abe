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
_NOBODY = re.compile(
    r"anon\w*|pseud\w*|de|id|deident\w*|identified|patient\w*|paciente|pazient\w*|name|nom|nombre|"
    r"unknown|unbekannt|inconnue?|desconocid\w|sconosciut\w|onbekend|ok[äa]nd|removed|entfernt|"
    r"no|not|kein\w*|sans|sin|available|provided|given|assigned|entered|research|subject|test|"
    r"phantom|volunteer|proband|匿名|患者|未知|不明|неизвестн\w*|пациент|x+"
)
"""Words that, alone among themselves, name nobody."""
_ASSIGNED = re.compile(r"([^^\s@]*\d[^^@]*?)\s*(?:\^(.*)|@\s*([^\W\d][\w.\-]*))")
"""A number and, behind it, who gave it: HL7's CX (`123^^^WARD&1.2&ISO`) or `123@WARD`."""
_LABEL = re.compile(
    r"(?:mrn|pid|pat(?:ient)?[ ._-]?(?:id|no|nr)|case(?:[ ._-]?(?:id|no))?|id|no|nr|eid)"
    r"\s*[.:#=]+\s*(?=\S)",
    re.IGNORECASE,
)
_DECIMAL = re.compile(r"(\d+)\.0+")
_QUOTES = "\"'`´‘’“”«»"


@dataclass(frozen=True, slots=True)
class InsideFacts:
    """What a file says of its person and its time; "" and None where it says nothing.

    `coding` names who numbers people there: "dicom", "muse", "cardiosoft", "philips", "aecg",
    "scp", "edf", "wfdb", "schiller", "eli", "ge_mac", "ishne", "mfer", "mrd". Identifiers of
    different codings are compared with care.
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
    are what people write who may not write an identifier. Quotes, `MRN:` before it and the
    authority behind it (see `find_issuer`) are not part of an identifier.
    """
    tidy = _BLANKS.sub(" ", _undress(text)[0]).strip()
    folded = tidy.casefold()
    if _PLACEHOLDERS.fullmatch(folded) and not re.fullmatch(r"[1-9]", tidy):
        return ""
    words = re.findall(r"[^\W\d_]+|\d+", folded)
    if words and all(_NOBODY.fullmatch(word) for word in words):
        return ""
    return tidy


def find_issuer(text: str) -> str:
    """Who gave the identifier, folded, where `text` says so; numbers of two issuers differ."""
    return _undress(text)[1]


def fold_identifier(text: str) -> str:
    """The form in which identifiers are compared: case, blanks and signs do not count.

    Nor do leading zeros, or the `.0` that a spreadsheet puts behind a number.
    """
    bare = unicodedata.normalize("NFKC", _undress(text)[0]).casefold()
    letters = re.sub(r"[\s_.,/\\#:;\^\-]", "", bare)
    return re.sub(r"^([a-z]*)0+(?=\d)", r"\1", letters)


def _undress(text: str) -> tuple[str, str]:
    """An identifier without quotes, its label, its issuer; and the issuer, "" for none."""
    tidy = unicodedata.normalize("NFC", text).strip().strip("\0").strip().strip(_QUOTES).strip()
    tidy = _LABEL.sub("", tidy, count=1) if _LABEL.match(tidy) else tidy
    issued = _ASSIGNED.fullmatch(tidy)
    issuer = ""
    if issued is not None:
        tidy = issued[1]
        parts = [part for part in (issued[2] or "").split("^") if re.search(r"[A-Za-z]{3,}", part)]
        issuer = (issued[3] or next(iter(parts), "").split("&")[0]).strip().casefold()
    decimal = _DECIMAL.fullmatch(tidy)
    return (decimal[1] if decimal is not None else tidy), issuer


def find_shape(text: str) -> str:
    """Letters as A, digits as 9, each with its count: identifiers of one coding look alike."""
    return re.sub(
        r"[^\W\d_]+|\d+",
        lambda match: f"{'9' if match[0][0].isdecimal() else 'A'}{len(match[0])}",
        text.strip(),
    )
