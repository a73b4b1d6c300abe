"""Tables that a plan names: read by the rules of their data set, as the walk read them."""

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from ptacl_core.errors import RecordError
from ptacl_core.ingest.listed_places import tidy_place
from ptacl_core.ingest.pairs import PairRow
from ptacl_core.ingest.plan import Plan
from ptacl_core.io.identity.facts import fold_identifier
from ptacl_core.io.layouts.model import Layout, find_table_rule, load_layouts
from ptacl_core.io.layouts.tables import read_table
from ptacl_core.safety.text.printable import clean_text


def take_listed_tables(
    plan: Plan,
    rows: Sequence[PairRow],
    sources: Sequence[Path],
    walk: Callable[[], Plan],
    *,
    layout: Layout | None = None,
) -> None:
    """Put the tables of `rows` into `plan`; withdrawal lists among them count.

    `layout` is the data set that the command names: it knows tables of a layout file of one's own.
    Raises RecordError for a table that is not there, or one of a layout that is not known.
    """
    for row in rows:
        if not row.table:
            continue
        path = _find_table(tidy_place(row.table), sources, walk)
        if path is None:
            raise RecordError(
                f"{row.where}: the table '{clean_text(row.table, max_length=60)}' is not there; "
                "correct its path or delete the line"
            )
        plan.table_places[path] = PurePosixPath(sources[0].name, tidy_place(row.table))
        name = str(row.hints.get("layout", ""))
        if not name:
            plan.tables.append(path)
            continue
        known = layout if layout is not None and layout.name == name else load_layouts().get(name)
        rule = find_table_rule(known, tidy_place(row.table)) if known is not None else None
        if rule is None:
            raise RecordError(
                f"{row.where}: the layout '{clean_text(name, max_length=40)}' has no such table; "
                "give the layout's file with --layout as before"
            )
        table = read_table(path, rule)
        table.layout = name
        plan.set_tables.append(table)
        if rule.is_withdrawal:
            plan.withdrawn |= {fold_identifier(entry.subject) for entry in table.rows}


def _find_table(place: str, sources: Sequence[Path], walk: Callable[[], Plan]) -> Path | None:
    """Below a source, the source itself, or what a walk finds (inside an archive)."""
    for source in sources:
        for path in (source / place, source):
            if path.is_file() and path.name == PurePosixPath(place).name:
                return path
    places = walk().table_places.items()
    return next((p for p, known in places if "/".join(known.parts[1:]) == place), None)
