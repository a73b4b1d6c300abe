"""Words and letters for a sex in the languages of clinics."""

_FEMALE = (
    "f female w woman weiblich frau femme feminin féminin femenino mujer femmina femminile "
    "feminino vrouw vrouwelijk kvinna kvinde kvinne nainen kobieta žena жен женский женщина ж 女 "
    "女性 여 여성"
)
_MALE = (
    "m male man männlich mann homme masculin masculino hombre varón varon maschio maschile "
    "mannelijk mies mężczyzna muž муж мужской мужчина м 男 男性 남 남성"
)
SEX_WORDS = dict.fromkeys(_FEMALE.split(), "F") | dict.fromkeys(_MALE.split(), "M")
"""Word in lower case → F or M."""

LANGUAGES = {"sexo": "spanish", "genero": "spanish", "geslacht": "dutch"}
"""Names of columns in whose languages single letters mean something else."""


def find_letters(words: set[str], language: str) -> dict[str, str] | None:
    """What the single letters of a column mean beside f and m; None where `m` may be either.

    Beside h (hombre) or v (varón) m is mujer; but v is vrouw in Dutch. A Spanish or Portuguese
    column without f may hold nothing but women, or nothing but men.
    """
    letters = {word for word in words if len(word) == 1 and word.isalpha()}
    if "m" not in letters or "f" in letters:
        return {"h": "M", "k": "F"}
    if language == "dutch":
        return {"v": "F"}
    if language == "spanish" and letters & {"h", "v"}:
        return {"h": "M", "v": "M", "m": "F"}
    is_unclear = language == "spanish" or bool(letters & {"h", "v"})
    return None if is_unclear else {"k": "F"}
