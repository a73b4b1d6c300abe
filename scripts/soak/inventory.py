#!/usr/bin/env python3
"""Every kind of file of a cohort deleted, cut, changed or swapped: `ptacl verify` names it.

A cohort is simulated, trained, embedded, evaluated and indexed, has notes, an export and a
withdrawal behind it, and so has another one of other people. One file of each kind is damaged at
a time in five ways (deleted, cut to half, its last 16 bytes cut off, one bit turned, the file of
that name of the other cohort in its place); then every check runs. Named is a file when a defect
stands at its path or at the folder that is checked whole. `NO_RECORD` says which are not looked at.

    nice -n 10 python scripts/soak/inventory.py --save
"""

import argparse
import datetime
import os
import re
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from ptacl_core import __version__
from ptacl_core.cohort import Cohort
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.stages.custody import verify, withdraw
from ptacl_core.stages.embed import run as embed
from ptacl_core.stages.evaluate import run as evaluate
from ptacl_core.stages.simulate import run as simulate
from ptacl_core.stages.train import run as train

ROOT = Path(__file__).resolve().parents[2]
NUM_PEOPLE = 170
RUN = "tiny"
NO_RECORD = {
    r"exports/.*": "the user's own: written for them, nothing in the cohort reads it",
    r"features/.*": "a cache: carries its own hash, is looked at when read and made anew",
    r".*\.lock": "who holds it, written by whoever locks next",
    r"shards/rejected\.parquet": "empty here; where it has rows, its loss is named",
    r"shards/\.(registered|merged)\.json": "a shortcut: without it all rows are compared anew",
    r"card\.(json|md)|simulation\.json|generation\.json": "what `simulate` says of itself",
}
"""Files that nothing needs: why no record of them is kept."""


def build(cohort: Path, *, seed: int) -> None:
    """A cohort with a file of every kind."""
    simulate.run(cohort, preset="tiny", num_patients=NUM_PEOPLE, seed=seed)
    limits = ["health.contrastive_share=9", "health.min_effective_rank=1",
              "health.reconstruction_share=9"]  # fmt: skip
    settings = load_run_settings("tiny", overrides=limits)
    train.run(cohort, settings, stage="all", resume=False, run_name=RUN)
    embed.run(cohort, run=RUN)
    evaluate.run(cohort, run=RUN, num_resamples=50)
    withdraw.run(cohort, ["S000005", "9000999"])
    evaluate.run(cohort, run=RUN, num_resamples=50)
    with Cohort.open(cohort) as opened:
        opened.build_index(RUN, "ecg")
        opened.notes.add_note("S000007", f"a note of {seed}")
        opened.export("SELECT * FROM overview", name="everybody", max_rows=1000)


def delete(path: Path, _: Path) -> bool:
    path.unlink()
    return True


def halve(path: Path, _: Path) -> bool:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return len(data) > 0


def shorten(path: Path, _: Path) -> bool:
    data = path.read_bytes()
    path.write_bytes(data[:-16])
    return len(data) > 0


def turn_bit(path: Path, _: Path) -> bool:
    data = bytearray(path.read_bytes())
    if not data:
        return False
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    return True


def swap(path: Path, foreign: Path) -> bool:
    if not foreign.is_file() or foreign.read_bytes() == path.read_bytes():
        return False
    path.write_bytes(foreign.read_bytes())
    return True


DAMAGES: dict[str, Callable[[Path, Path], bool]] = {
    "deleted": delete, "halved": halve, "end cut off": shorten, "a bit turned": turn_bit,
    "swapped": swap,
}  # fmt: skip
"""What is done to a file; False when that changes nothing of it."""


def kind_of(place: str) -> str:
    """The kind of a file: its path without numbers and names that differ between cohorts."""
    kind = re.sub(r"part-\d+", "part-N", place)
    kind = re.sub(r"(erasures/).*(\.\w+)$", r"\1certificate\2", kind)
    kind = re.sub(r"checkpoints/\w+/", "checkpoints/STAGE/", kind)
    return re.sub(r"[0-9a-f]{8,}", "HASH", kind)


def foreign_file(cohort: Path, place: str, other: Path) -> Path:
    """The other cohort's file of the same kind."""
    same = other / place
    if same.is_file():
        return same
    kind = kind_of(place)
    for path in sorted(other.rglob("*")):
        if path.is_file() and kind_of(str(path.relative_to(other))) == kind:
            return path
    return cohort / "nothing"


def is_named(place: str, cohort: Path) -> tuple[bool, list[str]]:
    """Whether a defect stands at the file, or at the folder that is checked as one."""
    verification = verify.run(cohort)
    places = [f"{defect.code} [{defect.place}]" for defect in verification.defects]
    name = Path(place).name
    named = any(
        defect.place in (place, name, str(Path(place).parent))
        or place.startswith(f"{defect.place}/")
        for defect in verification.defects
    )
    return named, places


def try_all(cohort: Path, other: Path, kinds: str) -> dict[str, dict[str, str]]:
    """For each kind and damage: "named", "-" (no change), or what verify said instead."""
    whole = verify.run(cohort)
    assert whole.is_whole, whole.defects
    table: dict[str, dict[str, str]] = defaultdict(dict)
    by_kind: dict[str, str] = {}
    for path in sorted(cohort.rglob("*")):
        if path.is_file():
            place = str(path.relative_to(cohort))
            by_kind.setdefault(kind_of(place), place)
    for kind, place in by_kind.items():
        if find_reason(kind) is not None or not re.search(kinds, kind):
            table[kind] = dict.fromkeys(DAMAGES, "-")
            continue
        path = cohort / place
        outside = cohort.with_name("kept")
        shutil.copy2(path, outside)
        for damage, apply in DAMAGES.items():
            table[kind][damage] = _try_one(cohort, place, apply, foreign_file(cohort, place, other))
            shutil.copy2(outside, path)
        print(f"{kind}: {table[kind]}", flush=True)
    assert verify.run(cohort).is_whole
    return table


def _try_one(cohort: Path, place: str, apply: Callable[[Path, Path], bool], foreign: Path) -> str:
    if not apply(cohort / place, foreign):
        return "-"
    try:
        named, places = is_named(place, cohort)
    except Exception as error:  # noqa: BLE001 - counted as what it is
        message = f"{type(error).__name__}: {error}"
        return "named" if Path(place).name in message else f"ERROR {message[:80]}"
    if named:
        return "named"
    return "only " + ", ".join(places) if places else "NOT NAMED"


def find_reason(kind: str) -> str | None:
    """Why there is no record of such a file; None where there is one."""
    reasons = (why for pattern, why in NO_RECORD.items() if re.fullmatch(pattern, kind))
    return next(reasons, None)


def report(table: dict[str, dict[str, str]]) -> list[str]:
    reasons = {kind: reason for kind in table if (reason := find_reason(kind)) is not None}
    recorded = {kind: row for kind, row in table.items() if kind not in reasons}
    tried = [answer for row in recorded.values() for answer in row.values() if answer != "-"]
    named = sum(answer == "named" for answer in tried)
    elsewhere = sum(answer.startswith("only ") for answer in tried)
    return [
        f"# Files damaged and missing, {datetime.date.today()}",
        "",
        f"`python scripts/soak/inventory.py`, PTACL {__version__}: {len(recorded)} kinds of file, "
        f"{named} of {len(tried)} damages named by `ptacl verify` at the file itself, {elsewhere} "
        "at what the file contradicts then (`only …`).",
        "",
        f"| file | {' | '.join(DAMAGES)} |",
        f"|---|{'---|' * len(DAMAGES)}",
        *(f"| `{kind}` | {' | '.join(row.values())} |" for kind, row in recorded.items()),
        "",
        "Not in the inventory:",
        "",
        *(f"- `{kind}`: {reason}" for kind, reason in reasons.items()),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="keep the two cohorts here (default: none)")
    parser.add_argument("--kinds", default="", help="regular expression: only these kinds of file")
    parser.add_argument("--save", action="store_true", help="write a report to assets/reports")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="inventory-") as temporary:
        folder = options.folder or Path(temporary)
        for variable in ("PTACL_KEYS", "XDG_STATE_HOME", "XDG_DATA_HOME"):
            os.environ[variable] = str(folder / variable.lower())
        cohort, other = folder / "cohort", folder / "other"
        for path, seed in ((cohort, 1), (other, 2)):
            if not path.is_dir():
                build(path, seed=seed)
        table = try_all(cohort, other, options.kinds)
    lines = report(table)
    print("\n".join(lines))
    if options.save:
        path = ROOT / "assets" / "reports" / f"inventory_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
