#!/usr/bin/env python3
"""The end-to-end rehearsal of a withdrawal: people of a cohort, a run, a list, late arrivals.

Files as UK Biobank lays them out become a cohort, a run is trained and embedded on it, and a list
of identifiers comes of whom 13 are members, in five spellings, and 4 have files that arrive later.
Afterwards the 13 must be nowhere (identifiers, pseudonyms, signals, embeddings), the 4 must stay
out, certificate and counts must be exact, and a second call must change nothing.

    nice -n 10 python scripts/soak/withdrawal.py --people 2000 --listed 1000
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from ptacl_core.cohort import Cohort, CohortLayout
from ptacl_core.cohort.erasure.byte_search import binary_needle, search_directories
from ptacl_core.cohort.erasure.needles import number_of, text_needles
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.shards import ShardReader
from ptacl_core.shards.erasure import find_array_pieces

ROOT = Path(__file__).resolve().parents[2]
NUM_MEMBERS, NUM_LATE = 13, 4
FIRST = 9_000_000
SPELLINGS = ("{0}", "0{0}", "{0}.0", "sub-{0}", "{0}_20205_2_0.xml")


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--listed", type=int, default=1000)
    options = parser.parse_args()
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        os.environ["PTACL_KEYS"] = str(Path(folder) / "keys")
        os.environ["XDG_STATE_HOME"] = str(Path(folder) / "state")
        os.environ["XDG_DATA_HOME"] = str(Path(folder) / "data")
        checks = rehearse(Path(folder), options.people, options.listed)
    for name, held in checks.items():
        print(f"{'held' if held else 'NOT HELD':8s} {name}")
    print(f"{sum(checks.values())} of {len(checks)} held, {time.monotonic() - started_s:.0f} s")
    return 0 if all(checks.values()) else 1


def rehearse(folder: Path, num_people: int, num_listed: int) -> dict[str, bool]:
    files, late, cohort = folder / "files", folder / "late", folder / "cohort"
    ptacl("simulate", files, "--preset", "tiny", "--layout", "ukb", "--patients", num_people)
    everybody = sorted(path.name.partition("_")[0] for path in files.glob("*_20205_2_0.xml"))
    generator = np.random.default_rng(16)
    chosen = [str(each) for each in generator.permutation(everybody)]
    members, to_come = chosen[:NUM_MEMBERS], chosen[NUM_MEMBERS : NUM_MEMBERS + NUM_LATE]
    late.mkdir()
    for identifier in to_come:
        for path in files.glob(f"{identifier}_*"):
            shutil.move(path, late / path.name)
    ptacl("preprocess", cohort, files, "--identities")
    ptacl("train", cohort, "--preset", "tiny")
    ptacl("embed", cohort)
    key = open_key(CohortLayout(cohort))
    pseudonyms = [key.pseudonym(each) for each in members]
    needles = collect_needles(cohort, members, pseudonyms)
    numbers = [number for each in members if (number := number_of(each)) is not None]
    before = search_directories([cohort], needles, numbers=numbers)
    listed = folder / "withdrawn.csv"
    strangers = [str(FIRST + 500_000 + row) for row in range(num_listed - NUM_MEMBERS - NUM_LATE)]
    spelled = [SPELLINGS[row % 5].format(each) for row, each in enumerate(members)]
    listed.write_text("\n".join([*spelled, *to_come, *strangers]) + "\n")
    document = json.loads(ptacl("withdraw", cohort, listed, "--yes", "--json"))
    after = search_directories([cohort], needles, numbers=numbers)
    again = json.loads(ptacl("withdraw", cohort, listed, "--yes", "--json"))
    ptacl("preprocess", cohort, late)
    renamed = folder / "renamed"
    renamed.mkdir()
    for row, path in enumerate(sorted(files.glob(f"{members[0]}_*"))):
        shutil.copy(path, renamed / f"sub-{members[0]}_v{row}{path.suffix}")
    ptacl("preprocess", cohort, renamed)
    with Cohort.open(cohort) as opened, ShardReader.open(cohort) as reader:
        people = {row["patient"] for row in opened.patients()} | set(reader.patients)
    out = {key.pseudonym(each) for each in (*members, *to_come)}
    counts = ("listed", "matched", "already_gone", "not_yet_seen")
    return {
        "the search sees the members before": bool(before.hits),
        "counts are exact": [document[name] for name in counts]
        == [num_listed, NUM_MEMBERS, 0, num_listed - NUM_MEMBERS],
        "the certificate is complete": bool(document["is_complete"]) and document["people"] == 13,
        "the run is named": document["runs_trained_with_these_people"] == ["tiny"],
        "the 13 are nowhere": not after.hits and not after.not_searched,
        "a second call changes nothing": [again[name] for name in counts]
        == [num_listed, 0, NUM_MEMBERS, num_listed - NUM_MEMBERS],
        "the 4 stay out, and the 13 under another name": not people & out,
        "the others are there": len(people) == num_people - NUM_MEMBERS - NUM_LATE,
        "the cohort is whole": "no defect" in ptacl("verify", cohort),
    }


def collect_needles(cohort: Path, members: list[str], pseudonyms: list[str]) -> list:
    """Their names, a piece of every array and of every embedding."""
    needles = [needle for text in (*members, *pseudonyms) for needle in text_needles(text)]
    needles += [binary_needle(piece) for piece in find_array_pieces(cohort / "shards", pseudonyms)]
    with Cohort.open(cohort) as opened:
        for modality in ("ecg", "cmr"):
            for space in ("pooled", "projected"):
                found = opened.embeddings("tiny", modality, space)
                needles += [
                    binary_needle(found.vectors[row].tobytes()[:32])
                    for row, patient in enumerate(found.patients)
                    if patient in set(pseudonyms)
                ]
    return needles


if __name__ == "__main__":
    sys.exit(main())
