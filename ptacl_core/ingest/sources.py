"""Sources of a call → its plan: walks, lists of files, lists of pairs."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ptacl_core.errors import RecordError
from ptacl_core.ingest.listed_plan import plan_from_list
from ptacl_core.ingest.make_plan import Discovery, make_plan
from ptacl_core.ingest.plan import Plan
from ptacl_core.io import discover
from ptacl_core.io.discover.found import FoundFile
from ptacl_core.io.discover.walk import discover_listed
from ptacl_core.io.files.identifier_list import read_identifier_list
from ptacl_core.io.identity.facts import fold_identifier
from ptacl_core.io.identity.pairing import DEFAULT_DAYS
from ptacl_core.io.layouts.model import Layout
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.safety.text.printable import clean_text


@dataclass(frozen=True, slots=True)
class Sources:
    """Where recordings come from and how they are told apart.

    `paths` are folders, archives or files; `files_from` lists files instead of a walk; `pairs` is
    a list that decides; `layout` a data set that was named; `ecg_hints` what arrays lack;
    `sex_coding` what numbers for a sex mean in tables (see `read_phenotypes`); `withdrawn` are
    lists of people who are left out; `scratch` is the folder where archives are copied and
    unpacked (None: they are read where they lie, and unpacked in the system's temporary folder).
    """

    paths: Sequence[Path] = ()
    files_from: Path | None = None
    pairs: Path | None = None
    layout: Layout | None = None
    within_days: int = DEFAULT_DAYS
    ecg_hints: Mapping[str, Any] = field(default_factory=dict)
    sex_coding: str | None = None
    withdrawn: Sequence[Path] = ()
    scratch: Path | None = None


def read_plan(sources: Sources, progress: ProgressSink = SILENT) -> Plan:
    """The plan of all sources. Raises RecordError when one is missing."""
    for path in sources.paths:
        if not path.exists():
            raise RecordError(f"{clean_text(path.name)}: expected a folder or archive, found none")
    if sources.pairs is None:
        return _walk(sources, progress)
    plan = plan_from_list(
        sources.pairs,
        sources.paths or (_root_of_places(sources, sources.pairs),),
        cache(lambda: _walk(sources, progress)),
        within_days=sources.within_days,
        hints=sources.ecg_hints,
        layout=sources.layout,
    )
    plan.withdrawn |= _read_withdrawn(sources)
    plan.visits = [
        visit for visit in plan.visits if fold_identifier(visit.subject) not in plan.withdrawn
    ]
    return plan


def _root_of_places(sources: Sources, pairs: Path) -> Path:
    """Where the paths of a list of pairs start: its folder, or where the listed files lie."""
    if sources.files_from is None:
        return pairs.parent
    return _common_root(read_file_list(sources.files_from))


def _common_root(listed: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([path.parent for path in listed]))


def _read_withdrawn(sources: Sources) -> frozenset[str]:
    """Folded identifiers on the lists that were given by name."""
    return frozenset(
        fold_identifier(identifier)
        for path in sources.withdrawn
        for identifier in read_identifier_list(path)
    )


def _walk(sources: Sources, progress: ProgressSink) -> Plan:
    discovery = Discovery(
        layout=sources.layout,
        within_days=sources.within_days,
        ecg_hints=sources.ecg_hints,
        withdrawn=_read_withdrawn(sources),
    )
    progress.start("look for files", None, "files")
    for path in sources.paths:
        discovery.files.append(_collect(discover(path), progress))
    if sources.files_from is not None:
        listed = read_file_list(sources.files_from)
        walk = discover_listed(listed, _common_root(listed))
        discovery.files.append(_collect(walk, progress))
    progress.finish("look for files")
    return make_plan(discovery)


def _collect(walk: Any, progress: ProgressSink) -> list[FoundFile]:
    files = []
    for file in walk:
        files.append(file)
        progress.advance("look for files")
    return files


def read_file_list(path: Path) -> list[Path]:
    """The paths in a list from its folder on, one a line or ended by NUL (`find -print0`).

    Raises RecordError for a list that names nothing.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(
            f"{clean_text(path.name)}: cannot be read as a list of files ({type(error).__name__})"
        ) from None
    lines = text.split("\0") if "\0" in text else text.splitlines()
    listed = [path.parent.absolute() / line.strip("\r\n") for line in lines if line.strip()]
    if not listed:
        raise RecordError(f"{clean_text(path.name)}: expected one path a line, found none")
    return list(dict.fromkeys(listed))
