#!/usr/bin/env python3
# ruff: noqa: E402 - the paths come first
"""The end-to-end rehearsal of a withdrawal: people of a cohort, a run, a list, late arrivals.

Files as UK Biobank lays them out become a cohort, a run is trained and embedded on it, and a list
of identifiers comes of whom 13 are members, in five spellings, and 4 have files that arrive later.
Afterwards the 13 must be nowhere (identifiers, pseudonyms, signals, embeddings, also by linear
algebra on what is left), the 4 must stay out, certificate and counts must be exact, and a second
call must change nothing.

    nice -n 10 python scripts/soak/withdrawal.py --people 2000 --listed 1000 --save

Thirty people have stacks of full size; the others' archives hold one small slice, so that 2,000
take 2 GB and minutes. With `--folder` files, cohort and run are kept there, and taken from there
by the next call, which rehearses the withdrawal on a copy.
"""

import argparse
import datetime
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the tests' own attacks are tried here as well

from ptacl_core import __version__
from ptacl_core.cohort import Cohort, CohortLayout
from ptacl_core.cohort.erasure.byte_search import binary_needle, search_directories
from ptacl_core.cohort.erasure.needles import number_of, text_needles
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.config.simulation import load_cohort_settings
from ptacl_core.embedding.readout import ReadOut
from ptacl_core.shards import ShardReader
from ptacl_core.shards.erasure import find_array_pieces
from ptacl_core.simulate import simulate_patients, write_ukb_layout
from tests.pipeline.no_patient import derive, least_gap, read_matrices
from tests.pipeline.test_withdrawal import distance_from_fit, gap_to_sums

NUM_MEMBERS, NUM_LATE, NUM_STACKS = 13, 4, 30
FIRST = 9_000_000
SPELLINGS = ("{0}", "0{0}", "{0}.0", "sub-{0}", "{0}_20205_2_0.xml")
RUN = "tiny"
COUNTS = ("listed", "matched", "already_gone", "not_yet_seen")


@dataclass(slots=True)
class Rehearsal:
    """Where it happens, what held, and how long each part took."""

    folder: Path
    checks: dict[str, bool] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Processor time, since other jobs share the machine; waiting beside it on the terminal."""
        started_s, cpu_s = time.monotonic(), sum(os.times()[:4])
        yield
        self.seconds[what] = sum(os.times()[:4]) - cpu_s
        waited_s = time.monotonic() - started_s
        print(f"{self.seconds[what]:7.1f} s  {what} ({waited_s:.0f} s on the clock)", flush=True)

    def check(self, what: str, *, held: bool) -> None:
        self.checks[what] = held
        print(f"{'held' if held else 'NOT HELD':8s} {what}", flush=True)


def ptacl(*arguments: object, expected: int = 0) -> str:
    """A command as a user types it; its stdout."""
    code = (
        "import sys; sys.path.append(sys.argv.pop(1)); from ptacl_core.cli.main import main; main()"
    )
    command = [sys.executable, "-P", "-c", code, str(ROOT), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != expected:
        raise SystemExit(f"{arguments[0]}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def prepare(rehearsal: Rehearsal, num_people: int) -> None:
    """Files, those that arrive late apart, and a cohort with an embedded run.

    What an interrupted call has made is taken up: files are put in place whole, and every
    command goes on where it was.
    """
    files, late = rehearsal.folder / "files", rehearsal.folder / "late"
    if not files.is_dir():
        with rehearsal.timed(f"{num_people} people as files"):
            fresh = rehearsal.folder / "fresh"
            shutil.rmtree(fresh, ignore_errors=True)
            write_files(fresh, num_people)
            keep_late_people_back(fresh, fresh / "late", choose(num_people)[1])
            shutil.rmtree(late, ignore_errors=True)
            (fresh / "late").rename(late)
            fresh.rename(files)
    cohort = rehearsal.folder / "whole"
    for arguments in (
        (
            "preprocess",
            cohort,
            files,
            "--identities",
            "--workers",
            1,
            "--phenotypes",
            files / "phenotypes.csv",
        ),
        ("train", cohort, "--preset", "tiny", "--run", RUN),
        ("embed", cohort, "--run", RUN),
    ):
        with rehearsal.timed(arguments[0]):
            ptacl(*arguments)


def write_files(files: Path, num_people: int) -> None:
    settings = load_cohort_settings("tiny", num_patients=num_people)
    stacks = min(NUM_STACKS, num_people)
    for first, stop, has_stack in ((0, stacks, True), (stacks, num_people, False)):
        for start in range(first, stop, 16):
            indices = list(range(start, min(start + 16, stop)))
            write_ukb_layout(simulate_patients(settings, indices), files, has_stack=has_stack)


def keep_late_people_back(files: Path, late: Path, to_come: list[str]) -> None:
    """Files and rows of people who arrive late: who is in a table is in the cohort."""
    late.mkdir()
    for identifier in to_come:
        for path in files.glob(f"{identifier}_*"):
            shutil.move(path, late / path.name)
    table = files / "phenotypes.csv"
    header, *rows = table.read_text().splitlines()
    theirs = [row for row in rows if row.partition(",")[0] in set(to_come)]
    others = [row for row in rows if row not in set(theirs)]
    (late / table.name).write_text("\n".join([header, *theirs]) + "\n")
    table.write_text("\n".join([header, *others]) + "\n")


def choose(num_people: int) -> tuple[list[str], list[str]]:
    """The members and the late ones, the same in every call."""
    everybody = [str(FIRST + row) for row in range(num_people)]
    chosen = [str(person) for person in np.random.default_rng(16).permutation(everybody)]
    return chosen[:NUM_MEMBERS], chosen[NUM_MEMBERS : NUM_MEMBERS + NUM_LATE]


def rehearse(rehearsal: Rehearsal, num_people: int, num_listed: int) -> None:
    folder, cohort = rehearsal.folder, rehearsal.folder / "cohort"
    shutil.rmtree(cohort, ignore_errors=True)
    shutil.copytree(folder / "whole", cohort)
    members, to_come = choose(num_people)
    key = open_key(CohortLayout(cohort))
    pseudonyms = [key.pseudonym(person) for person in members]
    needles = collect_needles(cohort, members, pseudonyms)
    points = collect_points(cohort, set(pseudonyms))
    numbers = [number for person in members if (number := number_of(person)) is not None]
    with rehearsal.timed("search before"):
        before = search_directories([cohort], needles, numbers=numbers)
    rehearsal.check("the search sees the members before", held=len(before.hits) >= 4)
    listed = folder / "withdrawn.csv"
    strangers = [str(FIRST + 500_000 + row) for row in range(num_listed - NUM_MEMBERS - NUM_LATE)]
    spelled = [SPELLINGS[row % 5].format(person) for row, person in enumerate(members)]
    listed.write_text("\r\n".join([*spelled, *to_come, *strangers]) + "\r\n")
    with rehearsal.timed(f"withdraw a list of {num_listed}"):
        document = json.loads(ptacl("withdraw", cohort, listed, "--yes", "--json"))
    check_certificate(rehearsal, document, num_listed)
    with rehearsal.timed("search after"):
        after = search_directories([folder / "cohort"], needles, numbers=numbers)
    rehearsal.check("no byte of the 13 is left", held=not after.hits and not after.not_searched)
    check_linear_algebra(rehearsal, cohort, points)
    state = read_state(cohort)
    with rehearsal.timed("the same list again"):
        again = json.loads(ptacl("withdraw", cohort, listed, "--yes", "--json"))
    is_same = [again[name] for name in COUNTS] == [
        num_listed, 0, NUM_MEMBERS, num_listed - NUM_MEMBERS
    ]  # fmt: skip
    rehearsal.check(
        "a second call changes nothing, byte for byte", held=is_same and read_state(cohort) == state
    )
    check_late(rehearsal, cohort, members, to_come, num_people)
    with rehearsal.timed("verify"):
        verified = ptacl("verify", cohort)
    rehearsal.check("the cohort is whole", held="no defect" in verified)


def check_certificate(rehearsal: Rehearsal, document: dict, num_listed: int) -> None:
    counts = [document[name] for name in COUNTS]
    rehearsal.check(
        "counts are exact", held=counts == [num_listed, NUM_MEMBERS, 0, num_listed - NUM_MEMBERS]
    )
    rehearsal.check(
        "the certificate is complete and names the run",
        held=bool(document["is_complete"])
        and document["people"] == NUM_MEMBERS
        and document["runs_trained_with_these_people"] == [RUN],
    )


def check_late(
    rehearsal: Rehearsal, cohort: Path, members: list[str], to_come: list[str], num_people: int
) -> None:
    """Files of those on the register, late or under another name, make nobody appear."""
    folder = rehearsal.folder
    key = open_key(CohortLayout(cohort))
    renamed = folder / "renamed"
    shutil.rmtree(renamed, ignore_errors=True)
    renamed.mkdir()
    for row, path in enumerate(sorted((folder / "files").glob(f"{members[0]}_*"))):
        shutil.copy(path, renamed / f"sub-{members[0]}_v{row}{path.suffix}")
    for path in (folder / "files").glob(f"{members[1]}_*"):
        shutil.copy(path, renamed / f"9800001{path.name.removeprefix(members[1])}")
    with rehearsal.timed("preprocess what arrives late"):
        ptacl("preprocess", cohort, folder / "late")
        ptacl("preprocess", cohort, renamed)
    with Cohort.open(cohort) as opened, ShardReader.open(cohort) as reader:
        people = {row["patient"] for row in opened.patients()} | set(reader.patients)
    out = {key.pseudonym(person) for person in (*members, *to_come, "9800001")}
    rehearsal.check("the 4 stay out, and two of the 13 under other names", held=not people & out)
    rehearsal.check("the others are there", held=len(people) == num_people - NUM_MEMBERS - NUM_LATE)


def collect_needles(cohort: Path, members: list[str], pseudonyms: list[str]) -> list:
    """Their names, a piece of every array and of every embedding."""
    needles = [needle for text in (*members, *pseudonyms) for needle in text_needles(text)]
    needles += [binary_needle(piece) for piece in find_array_pieces(cohort / "shards", pseudonyms)]
    for embeddings in read_embeddings(cohort):
        needles += [
            binary_needle(embeddings.vectors[row].tobytes()[:32])
            for row, patient in enumerate(embeddings.patients)
            if patient in set(pseudonyms)
        ]
    return needles


def read_embeddings(cohort: Path) -> list:
    with Cohort.open(cohort) as opened:
        return [
            opened.embeddings(RUN, modality, space)
            for modality in ("ecg", "cmr")
            for space in ("pooled", "projected")
        ]


def collect_points(cohort: Path, pseudonyms: set[str]) -> list[np.ndarray]:
    """Embeddings of the members whom training saw, space by space."""
    with ShardReader.open(cohort) as reader:
        pairs = zip(reader.patients, reader.splits, strict=True)
        seen = {patient for patient, split in pairs if split == "train"} & pseudonyms
    return [
        embeddings.vectors[[patient in seen for patient in embeddings.patients]].astype(np.float64)
        for embeddings in read_embeddings(cohort)
    ]


def check_linear_algebra(rehearsal: Rehearsal, cohort: Path, points: list[np.ndarray]) -> None:
    """No row of a run, through any map beside it, and no sum of all less the others."""
    matrices, maps = read_matrices(cohort / "runs")
    gaps = [least_gap(rows, derive(matrices, maps, rows.shape[1])) for rows in points]
    rehearsal.check("no map of what is left gives an embedding of the 13", held=min(gaps) > 1e-3)
    readout = ReadOut.load(cohort / "runs" / RUN / "readout")
    is_far = gap_to_sums(cohort, RUN, readout, points[0]) > 1e-3
    is_solved = distance_from_fit(cohort, RUN, readout.probe) < 1e-9
    rehearsal.check("nor does any mean or fit less the others", held=is_far and is_solved)


def read_state(cohort: Path) -> dict[str, str]:
    """Hash of every file of the cohort but its locks."""
    return {
        str(path.relative_to(cohort)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(cohort.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--listed", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="keep files and cohort here (default: none)")
    parser.add_argument("--save", action="store_true", help="write a report to assets/reports")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for variable in ("PTACL_KEYS", "XDG_STATE_HOME", "XDG_DATA_HOME"):
            os.environ[variable] = str(folder / variable.lower())
        rehearsal = Rehearsal(folder)
        if not (folder / "whole" / "runs" / RUN / "readout").is_dir():
            prepare(rehearsal, options.people)
        rehearse(rehearsal, options.people, options.listed)
    lines = report(rehearsal, options.people, options.listed)
    print("\n".join(lines))
    if options.save:
        path = ROOT / "assets" / "reports" / f"withdrawal_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0 if all(rehearsal.checks.values()) else 1


def report(rehearsal: Rehearsal, num_people: int, num_listed: int) -> list[str]:
    checks, seconds = rehearsal.checks, rehearsal.seconds
    return [
        f"# A withdrawal rehearsed, {datetime.date.today()}",
        "",
        f"`python scripts/soak/withdrawal.py --people {num_people} --listed {num_listed}`, "
        f"PTACL {__version__}. {sum(checks.values())} of {len(checks)} held.",
        "",
        "| what | held |",
        "|---|---|",
        *(f"| {name} | {'yes' if held else 'NO'} |" for name, held in checks.items()),
        "",
        "| part | seconds of a processor |",
        "|---|---|",
        *(f"| {name} | {value:.0f} |" for name, value in seconds.items()),
    ]


if __name__ == "__main__":
    sys.exit(main())
