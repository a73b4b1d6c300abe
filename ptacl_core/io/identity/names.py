"""What the names of a file and its folders say: a person, a visit, or only what it is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

_KIND_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
    ecg ecgs ekg ekgs ecg12 12lead lead leads rest resting restecg rhythm strip muse cardiosoft
    mac philips schiller xml hl7 aecg scp edf wfdb cine cines cmr cmrs mri mris mr mrt mrts sa
    sax shortaxis short axis stack stacks la lax 2ch 3ch 4ch long dicom dicoms dcm image images
    img imgs heart cardiac nii nifti niftis bold func anat study studies series serie seq
    sequence exam exams examination scan scans recording recordings record records export
    exports data dataset datasets files file raw original orig input inputs source sources in
    out output new old all archive archives backup download downloads bulk upload waveform
    waveforms signal signals trace traces train training trainset test testing testset tests val
    valid validate validation dev split labeled labelled unlabeled unlabelled database databases
    db patients patient pat subjects subject sub subj people person persons participants
    participant cases case probands proband id ids pid eid mrn cohort cohorts hospital hospitals
    site sites center centre clinic ward wards department delivery deliveries batch batches part
    parts lieferung untersuchung patienten segmented retro ssfp trufi fiesta bssfp tfe ffe bh
    elektrokardiogramm ruhe ruheekg ekgruhe belastung herz magnet magnetresonanz kurzachse kurz
    achse langachse bilder bild aufnahme aufnahmen ableitung ableitungen serien studie
    untersuchungen befund befunde daten rohdaten dateien fall faelle fälle patientin
    electrocardiogramme electrocardiogram electrocardiograma elettrocardiogramma electro repos
    irm coeur cœur cardiaque petit axe grand coupe coupes donnees données dossier fichiers
    reposo resonancia rm rmc corazon corazón cardiaca cardíaca cardiaco cardíaco eje corto largo
    cortes imagenes imágenes imagens datos estudio estudios paciente pacientes riposo risonanza
    cuore asse corto immagini dati pazienti paziente studio repouso ressonancia ressonância
    coracao coração eixo curto dados hart korte as beelden rust hartfilmpje patienten
    elektrokardiogram hjerte hjärta vila экг мрт сердце покой 心电图 心電図 静息 安静 磁共振
    心脏 心臓 短轴 短軸 核磁 影像 画像 患者 数据 データ
    ipat frame frames slice slices 4d 3d 2d lr hr dir folder root tree tmp temp home work
    resources assessors
    """,
    )
)
_SURNAMES = frozenset(
    re.findall(
        r"\w+",
        """
    short long heart ward wards case cases home work bold mac base site sites center centre part
    field dev pat rest strip split people person hart kurz lang petit grand ruhe bild corto largo
    curto korte hard herz magnet fall vila day week month year tag jahr woche monat dossier corazon
    coracao cuore repos riposo reposo datos dados orig source page train batch stack seq lead file
    """,
    )
)
"""Words of a kind that are people's names as well (`Long_John` and `Short_John` are two)."""
_VISIT_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
    baseline base bl first initial pre before followup follow fu second repeat post after later
    control recheck kontrolle verlauf erstuntersuchung nachuntersuchung suivi contrôle controle
    seguimiento basal controllo acompanhamento nameting rescan retest rerun redo wiederholung
    """,
    )
)
_NUMBERED_VISIT = re.compile(
    r"(?:visit|vis|v|ses|sess|session|timepoint|tp|t|instance|inst|i|besuch|followup|fu|month|"
    r"mo|year|yr|week|wk|day|tag|jour|dia|dag|woche|monat|mois|mes|jahr|visite|visita|bezoek|"
    r"termin|zeitpunkt|kontrolle|controle|exam|scan|study|encounter|enc|ecg|mri|cmr)[-.]?0*(\d{1,3})"
)
_COUNTED_TIME = re.compile(
    r"0*(\d{1,3})(?:mo|mos|mth|mths|month|months|wk|wks|week|weeks|yr|yrs|year|years|monate?|jahre?)"
)
"""A time after inclusion, as `6mo`."""
_TWELVE_LEADS = re.compile(
    r"(?<![^\W_])12[\s_-]?(?=(?:leads?|ableitung(?:en)?|kanal|canaux|derivaciones)(?:[\s_-]|$|[A-Z]))",
    re.IGNORECASE,
)
"""How many leads an ECG has is nobody's number."""
_HUMPS = re.compile(r"[^\W\d_a-z]+(?![^\W\d_A-Z])|[^\W\d_]?[^\W\d_A-Z]+|\d+")
_COUNTED_KIND = re.compile(r"(?:ecg|mri|cmr|scan|exam|study)\d")
_VISIT_PREFIXES = frozenset(
    re.findall(
        r"\w+",
        """
    visit vis ses sess session timepoint tp instance inst besuch visite visita bezoek termin
    zeitpunkt kontrolle controle month week day year tag monat woche jahr
    """,
    )
)
_KIND_NUMBERS = re.compile(
    r"(?:frame|slice|series|serie|ser|se|sax|sa|mr|run|acq|img|image|im|part|lead|echo|cine|dir|"
    r"batch|delivery|page|file|seq)[-.]?\d{1,5}"
)
_RECORDING_WORDS = frozenset(
    [
        "ecg",
        "ekg",
        "ecgs",
        "ekgs",
        "rest",
        "resting",
        "restecg",
        "ruheekg",
        "muse",
        "xml",
        "rhythm",
        "strip",
        "cine",
        "sax",
        "sa",
        "dicom",
    ]
)
_NUMBERED_KINDS = frozenset(
    {"series", "serie", "slice", "frame", "sax", "mr", "mri", "cmr", "cine", "scan", "scans", "se"}
)
"""A number behind one of these words counts them (`Cardiac MR - 1`)."""
_BIDS_WORD = re.compile(r"(sub|ses|acq|run|task|rec|dir|desc|space|echo|part|chunk)-(.+)")
_COPY = re.compile(
    r"(?:(?:copy|kopie|copie|copia)\s+(?:\(\d+\)\s+)?(?:of|von|de|di|van)\s+)?(.+?)"
    r"(?:\s*\(\d{1,2}\)|[\s_-]+(?:copy|kopie|copie|copia|c[óo]pia)(?:[\s_-]*\(?\d{1,2}\)?)?)*",
    re.IGNORECASE,
)
_DATES = (
    re.compile(r"((?:19|20)\d\d)[-.]?(0[1-9]|1[0-2])[-.]?(0[1-9]|[12]\d|3[01])(?:T?\d{4,6})?"),
    re.compile(r"(0[1-9]|[12]\d|3[01])[-.](0[1-9]|1[0-2])[-.]((?:19|20)\d\d)"),
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_UID = re.compile(r"\d+(?:\.\d+){4,}")
_MACHINE_NAMES = re.compile(
    r"muse[_-]\d{6,8}[_-]\d{4,6}[_-]\d+|im[-_]?\d+(?:[-_]\d+)*|i\d{3,}|img\d+|\d+(?:\.\d+){4,}"
)


@dataclass(frozen=True, slots=True)
class NamePart:
    """One folder or the file's stem: `core` names somebody ("" when it does not).

    `visit` is what it says of the visit, in a word for visits (`has_visit_word`) or by the number
    of a recording (`ecg2`); `words` are all its words folded.
    """

    text: str
    core: str
    visit: str
    words: tuple[str, ...]
    has_visit_word: bool = False

    @property
    def is_number(self) -> bool:
        """A short number: a person of a numbered set, or a series of an examination."""
        return self.core.isdecimal() and len(self.core) <= 4


def split_place(place: PurePath) -> tuple[NamePart, ...]:
    """The parts of a path, from the outermost folder to the stem (a folder's own name last)."""
    return tuple(split_name(part) for part in place.parts if part not in ("/", "."))


def split_name(text: str) -> NamePart:
    """The meaning of one name without its ending: `sub-01_ses-2_acq-sax_cine`, `H100_visit1`."""
    bare = strip_copy_marks(text)
    if bare != text and (_find_words(bare) <= _RECORDING_WORDS or split_name(bare).core):
        text = bare  # but `Patient (1)` and `Patient (2)` are two
    folded = text.casefold()
    if _MACHINE_NAMES.fullmatch(folded):
        return NamePart(text, "", "", (folded,))
    kept: list[str] = []
    doubtful: list[tuple[int, str]] = []
    visits: list[str] = []
    words: list[str] = []
    previous, is_telling = "", False
    for token in _tokens(_TWELVE_LEADS.sub("", text)):
        if token.casefold() in _SURNAMES:
            doubtful.append((len(kept) + len(doubtful), token))
        word = token.casefold()
        words.append(word)
        visit = _find_visit(word, previous)
        if visit is not None:
            is_telling |= not _COUNTED_KIND.match(word)
            if visit:
                visits.append(visit)
        elif not (_is_kind(word, previous) or _is_kind_in_humps(token)):
            bids = _BIDS_WORD.fullmatch(word)
            kept.append(token[4:] if bids and bids[1] == "sub" else token)
        previous = word
    if kept and not any(character.isdecimal() for character in "".join(kept)):
        for place, token in doubtful:
            kept.insert(place, token)
    core = "_".join(kept)
    visit = ".".join(dict.fromkeys(visits))
    return NamePart(text, core, visit, tuple(words), bool(visits) and is_telling)


def strip_copy_marks(text: str) -> str:
    """A name without what desktops write around that of a copy (`ecg (1)`, `Copy of ecg`)."""
    copied = _COPY.fullmatch(text)
    return copied[1] if copied is not None else text


def _find_words(text: str) -> set[str]:
    return {word.casefold() for word in _tokens(text)}


def _tokens(text: str) -> list[str]:
    """Words between underscores and blanks; hyphens part words only around one that is known."""
    tokens: list[str] = []
    for token in re.split(r"[_\s,;()\[\]+&]+", text):
        if not any(character.isalnum() for character in token):
            continue
        word = token.casefold()
        is_whole = _BIDS_WORD.fullmatch(word) or _is_date(word) or "-" not in token
        if is_whole:
            tokens.append(token)
            continue
        pieces = [piece for piece in token.split("-") if piece]
        known = [
            _find_visit(piece.casefold(), "") is not None or _is_kind(piece.casefold(), "")
            for piece in pieces
        ]
        tokens.extend(pieces if any(known) else [token])
    return tokens


def _find_visit(word: str, previous: str) -> str | None:
    """The visit that a word tells; "" for a word that only goes with one; None for another."""
    bids = _BIDS_WORD.fullmatch(word)
    if bids is not None:
        label = bids[2].lstrip("0") or "0"
        return (_find_visit(bids[2], "") or label) if bids[1] == "ses" else None
    if _is_date(word):
        return _date_in(word)
    if word in _VISIT_WORDS:
        return "followup" if word in ("follow", "fu") else word
    numbered = _NUMBERED_VISIT.fullmatch(word) or _COUNTED_TIME.fullmatch(word)
    if previous in _VISIT_PREFIXES and re.fullmatch(r"\d{1,3}", word):
        return word.lstrip("0") or "0"
    is_clock = _is_date(previous) and re.fullmatch(r"\d{4}|\d{6}", word)
    if word in _VISIT_PREFIXES or is_clock:
        return ""
    return numbered[1] if numbered is not None else None


def _is_kind(word: str, previous: str) -> bool:
    bids = _BIDS_WORD.fullmatch(word)
    if bids is not None:
        return bids[1] != "sub"
    if word in _KIND_WORDS or _KIND_NUMBERS.fullmatch(word) or _UID.fullmatch(word):
        return True
    return previous in _NUMBERED_KINDS and word.isdecimal()


def _is_kind_in_humps(token: str) -> bool:
    """Whether a word is several of a kind written together (`CardiacMR`, `RestingECG`)."""
    humps = [hump.casefold() for hump in _HUMPS.findall(token)]
    return len(humps) > 1 and all(hump in _KIND_WORDS for hump in humps)


def _is_date(word: str) -> bool:
    return any(pattern.fullmatch(word) for pattern in _DATES) or bool(_YEAR.fullmatch(word))


def _date_in(word: str) -> str:
    """A date as YYYYMMDD (a year as YYYY), which serves as a label and goes no further."""
    match = _DATES[0].fullmatch(word)
    if match is not None:
        return f"{match[1]}{match[2]}{match[3]}"
    match = _DATES[1].fullmatch(word)
    if match is not None:
        return f"{match[3]}{match[2]}{match[1]}"
    return word if _YEAR.fullmatch(word) else ""


def find_key(parts: Sequence[NamePart]) -> tuple[str, ...]:
    """The names along a path that may be a person's, outermost first, repetitions once."""
    key: list[str] = []
    for part in parts:
        if part.core and (not key or part.core != key[-1]):
            key.append(part.core)
    return tuple(key)


def find_visit(parts: Sequence[NamePart]) -> str:
    """The visit that a path tells: the innermost word for one, else the innermost number."""
    telling = [part.visit for part in reversed(parts) if part.visit and part.has_visit_word]
    counted = [part.visit for part in reversed(parts) if part.visit]
    return next(iter([*telling, *counted]), "")


def find_bare_label(part: NamePart) -> str:
    """A date, a year or a letter with a number that stands alone: a visit's, or somebody's name."""
    is_bare = bool(part.words) and all(_BARE_LABEL.fullmatch(word) for word in part.words)
    return part.text if is_bare and not part.core else ""


_BARE_LABEL = re.compile(
    r"(?:19|20)\d\d(?:[-.]?\d\d[-.]?\d\d)?|\d\d[-.]\d\d[-.]\d{4}|[a-uw-z]\d{1,3}"
)
