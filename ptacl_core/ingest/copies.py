"""Copies of one recording's file: the same bytes twice are one recording."""

import filecmp
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from ptacl_core.io.identity.names import strip_copy_marks

WHOLE_FILE_FORMATS = frozenset(
    {
        "cardiosoft_xml", "muse_xml", "philips_xml", "hl7_aecg", "schiller_xml", "eli_xml",
        "ge_mac_xml", "dicom", "scp", "edf", "ishne", "mfer",
    }
)  # fmt: skip
"""Formats of which one file is all; two headers alike may still have signals of their own."""


def find_copies(files: Iterable[tuple[Path, str]]) -> dict[Path, Path]:
    """One person's files that come twice, with the visits told of them → the one that is taken.

    A copy has the bytes of the other, its name but for the marks of a desktop (`ecg (1).xml`), and
    lies beside it or in another folder of no other visit, as when an export comes again. A file
    that cannot be read is nobody's copy.
    """
    by_name: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for file, visit in sorted(files, key=lambda entry: (len(entry[0].name), entry[0])):
        name = f"{strip_copy_marks(file.stem)}{file.suffix}".casefold()
        by_name[visit, name].append(file)
    return {
        file: named_alike[0]
        for named_alike in by_name.values()
        for file in named_alike[1:]
        if _is_same(named_alike[0], file)
    }


def _is_same(one: Path, other: Path) -> bool:
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False
