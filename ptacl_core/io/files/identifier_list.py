"""Lists of people: one identifier a line, or a table with a column of identifiers.

UK Biobank sends lists of withdrawn participants as headerless CSV; hospitals send tables. The
column is found by its name; without a header the first one counts.
"""

import csv
import io
import re
import sys
from pathlib import Path

from ptacl_core.errors import RecordError
from ptacl_core.io.files.number_text import is_rounded_number
from ptacl_core.safety.text.printable import clean_text

STDIN = Path("-")
_MAX_BYTES = 512 * 2**20
_MAX_CHARACTERS = 200
_NAMES = re.compile(
    r"(?:[a-z_.]*\.)?(?:eid|n_eid|f\.?eid|id|ids|pid|patient|patients|patient_?id|subject"
    r"|subject_?id|participant|participant_?id|participants|person|person_?id|pseudonym|identifier)",
    re.IGNORECASE,
)


def read_identifier_list(path: Path) -> list[str]:
    """The identifiers of a CSV or text file, or of stdin for `-`, in order, each once.

    Raises RecordError when it cannot be read as text or holds none.
    """
    text = _read_text(path)
    lines = [line for line in text.splitlines() if line.strip()]
    rows = [row for row in csv.reader(io.StringIO("\n".join(lines)), _find_dialect(lines)) if row]
    column, rows = _find_column(rows)
    identifiers = dict.fromkeys(
        cell
        for row in rows
        if column < len(row) and (cell := row[column].strip().strip("\"'").strip())
    )
    too_long = [cell for cell in identifiers if len(cell) > _MAX_CHARACTERS]
    if not identifiers or too_long:
        fault = "holds no identifier" if not identifiers else "has lines too long for identifiers"
        raise RecordError(
            f"{_show(path)}: {fault}; expected one identifier a line, or a CSV with a column "
            "such as eid, id or patient"
        )
    num_rounded = sum(is_rounded_number(cell) for cell in identifiers)
    if num_rounded:
        raise RecordError(
            f"{_show(path)}: {num_rounded} identifiers are numbers that a spreadsheet rounded "
            "(such as 1.23E+06), so whom they mean is lost; nothing was changed. Give the list as "
            "it was sent, or format the column as text"
        )
    return list(identifiers)


def _read_text(path: Path) -> str:
    try:
        data = sys.stdin.buffer.read(_MAX_BYTES + 1) if path == STDIN else _read_bytes(path)
    except OSError as error:
        raise RecordError(f"{_show(path)}: cannot be read ({error.strerror})") from None
    if len(data) > _MAX_BYTES:
        raise RecordError(f"{_show(path)}: more than {_MAX_BYTES >> 20} MiB; no list of people")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig"
        if b"\0" in data:
            raise RecordError(
                f"{_show(path)}: is not text; expected CSV or TXT (save a spreadsheet as CSV)"
            )
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _read_bytes(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_MAX_BYTES + 1)


def _find_dialect(lines: list[str]) -> type[csv.Dialect]:
    """Separated by whichever of tab, semicolon and comma the first line has."""
    first = lines[0] if lines else ""

    class Separated(csv.excel):
        delimiter = next((candidate for candidate in "\t;," if candidate in first), ",")

    return Separated


def _find_column(rows: list[list[str]]) -> tuple[int, list[list[str]]]:
    """Which column holds the identifiers, and the rows below the header, if there is one."""
    if not rows:
        return 0, rows
    header = [cell.strip().strip("\"'") for cell in rows[0]]
    named = [index for index, cell in enumerate(header) if _NAMES.fullmatch(cell)]
    if named:
        return named[0], rows[1:]
    has_header = not any(character.isdecimal() for character in header[0]) and len(rows) > 1
    has_header &= any(character.isdecimal() for character in rows[1][0]) if has_header else False
    return 0, rows[1:] if has_header else rows


def _show(path: Path) -> str:
    return "the list on stdin" if path == STDIN else clean_text(path.name)
