"""Cells of a list of pairs → recordings: paths as people and other machines write them."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ptacl_core.errors import RecordError
from ptacl_core.ingest.plan import PlannedRecording
from ptacl_core.io.discover.names import strip_endings
from ptacl_core.safety.text.printable import clean_text

Walk = Mapping[str, PlannedRecording]
"""Place below the source, its parts parted by "/" → recording."""


class PlaceFinder:
    """Finds recordings of a list; the sources are walked once, when a cell needs it."""

    def __init__(self, sources: Sequence[Path], walk: Callable[[], Walk]) -> None:
        self._sources = sources
        self._walk = walk
        self._walked: Walk | None = None

    def find(
        self,
        cell: str,
        modality: str,
        *,
        where: str,
        is_one_of_many: bool = False,
        is_among_others: bool = False,
    ) -> PlannedRecording:
        """The recording of a cell: a path from a source on, or what a walk finds of that name.

        A walk is made for a name without its folder, and for a folder that is not there (a file
        inside an archive, another machine's path). A missing file of a folder that is there stays
        as it is: reading it says so. One recording of a file of many (a plan says which) lies at
        the file; an examination among others (which a plan says too) is what a walk finds. Raises
        RecordError where several files may be meant.
        """
        place = tidy_place(cell)
        is_absolute = Path(cell).is_absolute() and Path(cell).exists()
        recording = None
        if not is_among_others:
            direct = cell if is_absolute else place
            recording = self._find_direct(direct, is_one_of_many=is_one_of_many)
        if recording is None:
            recording = self._find_walked(place, modality, where=where)
        if recording is None:
            recording = PlannedRecording(
                self._sources[0] / place, Path(self._sources[0].name) / place, "ecg"
            )
        return replace(recording, modality="ecg" if modality == "ecg" else "cmr")

    def _find_direct(self, place: str, *, is_one_of_many: bool) -> PlannedRecording | None:
        candidates = [
            PlannedRecording(source / place, Path(source.name) / place, "ecg")
            for source in self._sources
        ]
        for candidate in candidates:
            header = candidate.path.with_name(f"{candidate.path.name}.hea")
            if place and (candidate.path.exists() or header.exists()):
                return candidate
            if is_one_of_many and candidate.path.parent.is_file():
                return replace(candidate, path=candidate.path.parent)
        folders = [c for c in candidates if "/" in place and c.path.parent.is_dir()]
        return _find_alike(folders[0]) if folders else None

    def _find_walked(self, place: str, modality: str, *, where: str) -> PlannedRecording | None:
        if self._walked is None:
            self._walked = self._walk()
        if place in self._walked:
            return self._walked[place]
        wanted = _fold(place)
        matches: dict[int, list[PlannedRecording]] = {}
        for known, recording in self._walked.items():
            depth = _count_shared_end(wanted, _fold(known), _fold(recording.place.parts[0])[0])
            if depth and recording.modality == modality:
                matches.setdefault(depth, []).append(recording)
        best = matches.get(max(matches, default=0), [])
        if len(best) > 1:
            raise RecordError(
                f"{where}: {len(best)} files end as '{clean_text(place, max_length=60)}'; write "
                "the path from the source on"
            )
        return best[0] if best else None


def tidy_place(cell: str) -> str:
    """A cell as parts parted by "/": backslashes, `./`, `file://` and drives do not count."""
    text = cell.removeprefix("file://").replace("\\", "/")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    return "/".join(parts[1:] if parts and len(parts[0]) == 2 and parts[0][1] == ":" else parts)


def _fold(place: str) -> list[str]:
    return unicodedata.normalize("NFC", place).casefold().split("/")


def _find_alike(recording: PlannedRecording) -> PlannedRecording:
    """The one file of a folder whose name differs in case or ending alone; else what is given."""
    wanted = strip_endings(recording.path.name).casefold()
    alike = [
        path
        for path in recording.path.parent.iterdir()
        if strip_endings(path.name).casefold() == wanted
    ]
    if len(alike) != 1:
        return recording
    return replace(recording, path=alike[0], place=recording.place.with_name(alike[0].name))


def _count_shared_end(wanted: Sequence[str], known: Sequence[str], source: str) -> int:
    """How many parts two places share, counted from the end; 0 where one contradicts the other.

    The shorter one must be the other's end whole; the last parts may differ in their ending. A file
    that lies in the source itself, which is called `source`, answers no other folder's.
    """
    if len(known) == 1 < len(wanted):
        known = [source, *known]
    depth = min(len(wanted), len(known))
    ends = zip(reversed(wanted[-depth:]), reversed(known[-depth:]), strict=True)
    (own, other), *above = ends
    is_last_same = own == other or strip_endings(own) == strip_endings(other)
    return depth if is_last_same and all(one == two for one, two in above) else 0
