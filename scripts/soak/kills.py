#!/usr/bin/env python3
"""Commands killed with SIGKILL at random moments, and what is true afterwards.

`preprocess`, `train`, `embed`, `erase` and `withdraw` run in forked children (everything is
imported already, so that a child's time is the work itself) and are killed, with all they
started, when they have used a random part of the processor time that one whole call takes. What
was left is the start of the next call. One that was not killed in time ended by itself; then
what it made is compared with what a call that nobody disturbed makes, nobody who left is there,
and `ptacl verify` finds no defect.

    nice -n 10 python scripts/soak/kills.py --kills 40 --save
"""

import argparse
import contextlib
import datetime
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from ptacl_core import __version__
from ptacl_core.cli.main import app
from ptacl_core.cli.output import run_guarded
from ptacl_core.cohort import Cohort, CohortLayout
from ptacl_core.cohort.erasure.byte_search import search_directories
from ptacl_core.cohort.erasure.needles import number_of, text_needles
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.config.simulation import load_cohort_settings
from ptacl_core.embedding.readout import ReadOut
from ptacl_core.shards import ShardReader
from ptacl_core.simulate import simulate_patients, write_ukb_layout
from ptacl_core.stages.embed import run as _embed  # noqa: F401 - imported before the forks
from ptacl_core.stages.train import run as _train  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
FIRST = 9_000_000
NUM_FILES, NUM_TRAINED = 8, 160
"""People as files for `preprocess`; simulated ones for the others, as many as a read-out needs."""
RUN = "tiny"
TRAIN = ("--preset", "tiny", "--run", RUN, "--resume",
         "--set", "align.optimisation.checkpoint_every_steps=1",
         "--set", "pretrain_ecg.optimisation.checkpoint_every_steps=1",
         "--set", "pretrain_cmr.optimisation.checkpoint_every_steps=1")  # fmt: skip
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Tally:
    """Of one command: calls killed, calls that ended, and what was not as it must be."""

    killed: int = 0
    ended: int = 0
    faults: tuple[str, ...] = ()


def start(arguments: Sequence[object], log: Path) -> int:
    """`ptacl …` in a forked child that leads a process group of its own; its id."""
    child = os.fork()
    if child:
        return child
    os.setpgid(0, 0)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    status = 1
    try:
        run_guarded(lambda: app([str(argument) for argument in arguments]))
    except SystemExit as ending:
        status = int(ending.code or 0)
    finally:
        sys.stdout.flush()
        os._exit(status)


def cpu_s(process: int) -> float:
    """Processor time of a process and of its children that ended."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / TICKS


def wait(process: int, *, limit_s: float | None) -> tuple[int | None, float]:
    """Exit status, None when it was killed at `limit_s` of processor time; the time it used."""
    used = 0.0
    while True:
        with contextlib.suppress(OSError, ValueError):
            used = cpu_s(process)
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), used
        if limit_s is not None and used >= limit_s:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
            return _reap(process), used
        time.sleep(0.002)


def _reap(process: int) -> int | None:
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    return None if code == -signal.SIGKILL else code


def call(folder: Path, *arguments: object, expected: int = 0) -> tuple[str, float]:
    """A whole call; what it printed and the time it used."""
    log = folder / "call.log"
    status, used = wait(start(arguments, log), limit_s=None)
    if status != expected:
        raise SystemExit(f"{arguments[0]}: exit {status}\n{log.read_text()[-3000:]}")
    return log.read_text(), used


def ask(function: Callable[[], object]) -> object:
    """The answer of a function in a forked child: this process never opens a store itself."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            answer = json.dumps(function()).encode()
            with os.fdopen(writable, "wb") as stream:
                stream.write(answer)
            status = 0
        except BaseException:  # noqa: BLE001 - the parent tells that there is no answer
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writable)
    with os.fdopen(readable, "rb") as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return json.loads(text)


def fingerprint(cohort: Path) -> dict[str, object]:
    """What a cohort holds, in words that do not depend on when and how often it was made."""
    with ShardReader.open(cohort) as reader, Cohort.open(cohort) as opened:
        table = reader.table.drop_columns(["shard", "ecg_row", "cine_row"])
        rows = sorted(json.dumps(row, default=str, sort_keys=True) for row in table.to_pylist())
        counts = {
            name: opened.fetch(f"SELECT count(*) FROM {name}")[0][0]
            for name in ("patients", "recordings", "shards", "phenotypes", "ecg_marks")
        }
        values = opened.fetch(
            "SELECT patient, visit, name, round(value, 4) FROM predictions ORDER BY ALL"
        )
        sets = opened.fetch(
            "SELECT run, modality, space, fingerprint FROM embedding_sets ORDER BY ALL"
        )
    weights = {
        str(path.parent.parent.name): json.loads(path.read_text())["document"]["files"]
        for path in sorted((cohort / "runs").glob("*/checkpoints/*/final/checkpoint.json"))
    }
    return json.loads(json.dumps([rows, counts, values, sets, weights], default=str))


def find_faults(cohort: Path, gone: Sequence[str]) -> list[str]:
    """People who are still somewhere, and read-outs that cannot be read."""
    key = open_key(CohortLayout(cohort))
    texts = [text for person in gone for text in (person, key.pseudonym(person))]
    needles = [needle for text in texts for needle in text_needles(text)]
    numbers = [number for person in gone if (number := number_of(person)) is not None]
    search = search_directories([cohort], needles, numbers=numbers)
    faults = [f"still there: {hit}" for hit in search.hits]
    for document in cohort.glob("runs/*/readout/readout.json"):
        ReadOut.load(document.parent)
    return faults


def drive(
    name: str,
    folder: Path,
    template: Path,
    make_call: Callable[[Path], tuple[object, ...]],
    check: Callable[[Path], list[str]],
    *,
    num_kills: int,
    seed: int,
) -> Tally:
    """Kill calls until `num_kills` died; check each time that one has ended.

    `template` is the cohort to begin with, copied for every beginning.
    """
    generator = random.Random(seed)
    tally, log = Tally(), folder / "killed.log"
    whole_s = 0.0
    while tally.killed < num_kills:
        cohort = folder / "work"
        shutil.rmtree(cohort, ignore_errors=True)
        shutil.copytree(template, cohort)
        arguments = make_call(cohort)
        if not whole_s:
            _, whole_s = call(folder, *arguments)
            tally.faults += tuple(_after(folder, cohort, check))
            continue
        kills = 0
        while True:
            # a call that goes on needs less than a whole one: moments become earlier
            limit_s = generator.uniform(0, whole_s / (1 + kills % 4))
            is_last = tally.killed >= num_kills or kills >= 8
            status, _ = wait(start(arguments, log), limit_s=None if is_last else limit_s)
            if status is not None:
                break
            kills += 1
            tally.killed += 1
        tally.ended += 1
        if status != 0:
            tally.faults += (f"exit {status}: {log.read_text()[-300:]}",)
        tally.faults += tuple(_after(folder, cohort, check))
        print(*dict.fromkeys(tally.faults), sep="\n", flush=True)
        print(f"{name}: {tally.killed} killed, {tally.ended} ended, {len(tally.faults)} faults",
              flush=True)  # fmt: skip
    return tally


def _after(folder: Path, cohort: Path, check: Callable[[Path], list[str]]) -> list[str]:
    faults = ask(lambda: check(cohort))
    assert isinstance(faults, list)
    log = folder / "verify.log"
    status, _ = wait(start(("verify", cohort, "--repair"), log), limit_s=None)
    if status != 0:
        faults.append(f"verify: exit {status}: {log.read_text()[-500:]}")
    return faults


def same_as(expected: object) -> Callable[[Path], list[str]]:
    """A check: what was made is what nobody disturbed."""

    def check(cohort: Path) -> list[str]:
        made = fingerprint(cohort)
        return [] if made == expected else ["not what an undisturbed call makes"]

    return check


def run(folder: Path, num_kills: int, only: Sequence[str]) -> dict[str, Tally]:
    files = folder / "files"
    settings = load_cohort_settings("tiny", num_patients=NUM_FILES)
    write_ukb_layout(simulate_patients(settings, list(range(NUM_FILES))), files, has_stack=False)
    stages = Stages(folder, files)
    return {
        name: stages.kill(name, num_kills, seed=row)
        for row, name in enumerate(Stages.NAMES)
        if name in only
    }


class Stages:
    """Each command with the cohort that it begins with, and what must be true after it."""

    NAMES = ("preprocess", "train", "embed", "erase", "withdraw")

    def __init__(self, folder: Path, files: Path) -> None:
        self.folder, self.files = folder, files
        self.begun, self.ready = folder / "begun", folder / "ready"
        self.trained, self.embedded = folder / "trained", folder / "embedded"
        first = files / f"{FIRST}_20205_2_0.xml"
        call(folder, "preprocess", self.begun, first, "--workers", 1)  # a key, and one person
        call(folder, "simulate", self.ready, "--preset", "tiny", "--patients", NUM_TRAINED)
        for source, target, command in (
            (self.ready, self.trained, ("train", self.trained, *TRAIN)),
            (self.trained, self.embedded, ("embed", self.embedded, "--run", RUN)),
        ):
            shutil.copytree(source, target)
            call(folder, *command)

    def kill(self, name: str, num_kills: int, *, seed: int) -> Tally:
        template, command = {
            "preprocess": (
                self.begun,
                lambda cohort: ("preprocess", cohort, self.files, "--workers", 1,
                                "--phenotypes", self.files / "phenotypes.csv"),
            ),
            "train": (self.ready, lambda cohort: ("train", cohort, *TRAIN)),
            "embed": (self.trained, lambda cohort: ("embed", cohort, "--run", RUN)),
            "erase": (
                self.embedded,
                lambda cohort: ("erase", cohort, self._leaving()[0], "--yes"),
            ),
            "withdraw": (
                self.embedded,
                lambda cohort: ("withdraw", cohort, self._list(), "--yes"),
            ),
        }[name]  # fmt: skip
        gone = {"erase": self._leaving()[:1], "withdraw": self._leaving()}.get(name)
        if gone is None:
            undisturbed = self.folder / "undisturbed"
            shutil.rmtree(undisturbed, ignore_errors=True)
            shutil.copytree(template, undisturbed)
            call(self.folder, *command(undisturbed))
            check = same_as(ask(lambda: fingerprint(undisturbed)))
        else:
            check = partial(find_faults, gone=gone)
        return drive(name, self.folder, template, command, check, num_kills=num_kills, seed=seed)

    def _leaving(self) -> list[str]:
        return ["S000003", "S000020", "S000041"]

    def _list(self) -> Path:
        listed = self.folder / "list.csv"
        first, second, third = self._leaving()
        listed.write_text(f'{first}\r\n"{second}"\r\n{third.lower()}\r\n9700001\r\n9700002\r\n')
        return listed


def report(tallies: dict[str, Tally], num_s: float) -> list[str]:
    killed = sum(tally.killed for tally in tallies.values())
    return [
        f"# Commands killed, {datetime.date.today()}",
        "",
        f"`python scripts/soak/kills.py`, PTACL {__version__}: {killed} calls killed with SIGKILL "
        f"at random moments, with all they started; {num_s:.0f} s of a processor.",
        "",
        "| command | killed | went on to the end, and checked | faults |",
        "|---|---|---|---|",
        *(
            f"| {name} | {tally.killed} | {tally.ended} | {len(tally.faults)} |"
            for name, tally in tallies.items()
        ),
        *([""] * any(tally.faults for tally in tallies.values())),
        *(f"- {name}: {fault}" for name, tally in tallies.items() for fault in tally.faults),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--kills", type=int, default=40, help="of each command")
    parser.add_argument("--only", nargs="+", choices=Stages.NAMES, default=Stages.NAMES)
    parser.add_argument("--save", action="store_true", help="write a report to assets/reports")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as temporary:
        folder = Path(temporary)
        for variable in ("PTACL_KEYS", "XDG_STATE_HOME", "XDG_DATA_HOME"):
            os.environ[variable] = str(folder / variable.lower())
        tallies = run(folder, options.kills, options.only)
    lines = report(tallies, sum(os.times()[:4]))
    print("\n".join(lines))
    if options.save:
        path = ROOT / "assets" / "reports" / f"kills_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if any(tally.faults for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
