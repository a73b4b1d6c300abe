"""Column names in the languages of clinics, and the long forms of the ten phenotypes."""

import re
import unicodedata

SUBJECT_WORDS = (
    "mrn",
    "pid",
    "patientno",
    "patientnumber",
    "patientnr",
    "hospitalnumber",
    "casenumber",
    "caseno",
    "recordid",
    "subjectno",
    "subjectnumber",
    "neid",
    "patientenid",
    "patientennummer",
    "fallnummer",
    "identifiant",
    "identifiantpatient",
    "idpatient",
    "paciente",
    "idpaciente",
    "paziente",
    "idpaziente",
    "patientnummer",
    "患者",
    "患者id",
    "患者编号",
    "患者番号",
    "病历号",
    "пациент",
    "name",
)
"""Names of the column that says who, after those of `columns`; the first that is there counts."""

VISIT_WORDS = (
    "besuch",
    "zeitpunkt",
    "visite",
    "visita",
    "bezoek",
    "event",
    "eventname",
    "redcapeventname",
    "wave",
    "随访",
)

COVARIATE_WORDS = {
    "sex": "geschlecht sexe sexo sesso geslacht kon kjonn sukupuoli plec pohlavi cinsiyet genero "
    "genre пол 性别 性別 성별",
    "age_years": "alter edad eta idade leeftijd alder wiek ika vek возраст 年龄 年齢 나이",
    "height_cm": "grosse groesse korpergrosse koerpergroesse taille talla estatura altezza altura "
    "lengte langd hoyde wzrost рост 身高 身長",
    "weight_kg": "gewicht korpergewicht koerpergewicht poids peso vikt vekt vaegt masaciala вес "
    "体重",
    "bmi_kg_m2": "imc kmi",
}

_PHRASES = (
    (r"left(?:ventric(?:ular|le))|linksventrikular\w*?(?=e)", "lv"),
    (r"right(?:ventric(?:ular|le))|rechtsventrikular\w*?(?=e)", "rv"),
    (r"end(?:diastolic|diast)vol(?:ume)?", "edv"),
    (r"end(?:systolic|syst)vol(?:ume)?", "esv"),
    (r"strokevol(?:ume)?", "sv"),
    (r"ejectionfraction|ejektionsfraktion", "ef"),
    (r"cardiacoutput", "co"),
    (r"(?:myocardial)?mass", "m"),
)
_BEFORE = re.compile(r"(lv|rv)(edv|esv|sv|ef|co|m)(i|index|indexed)?")
_BEHIND = re.compile(r"(edv|esv|sv|ef|co|m)(lv|rv)")
_ABBREVIATIONS = {
    "fevg": "lvef",
    "fevi": "lvef",
    "fevd": "rvef",
    "fevs": "lvef",
    "vtdvg": "lvedv",
    "vtsvg": "lvesv",
    "vtdvi": "lvedv",
    "vtsvi": "lvesv",
    "vtdvd": "rvedv",
    "vtsvd": "rvesv",
}
"""French, Spanish and Italian: FEVG, VTD VG and their like."""


def fold_name(text: str) -> str:
    """A column name as its letters and digits alone, without case, accents and signs."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(character for character in plain if not unicodedata.combining(character))
    return re.sub(r"[\W_]", "", letters.replace("ø", "o").replace("ł", "l"))


def read_long_name(folded: str) -> str | None:
    """`leftventricularejectionfraction`, `edvlv`, `fevg` → `lvef`, `lvedv`; None for others.

    Names of values divided by body surface end in `i`.
    """
    if folded in _ABBREVIATIONS:
        return _ABBREVIATIONS[folded]
    short = folded
    for pattern, letters in _PHRASES:
        short = re.sub(pattern, letters, short)
    behind = _BEHIND.fullmatch(short)
    if behind is not None:
        return f"{behind[2]}{behind[1]}"
    before = _BEFORE.fullmatch(short)
    return f"{before[1]}{before[2]}{'i' if before[3] else ''}" if before is not None else None


def build_covariates() -> dict[str, str]:
    """Folded name → covariate."""
    return {
        fold_name(word): quantity
        for quantity, words in COVARIATE_WORDS.items()
        for word in words.split()
    }
