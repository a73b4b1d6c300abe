# ruff: noqa: E402 - the repository's packages come before installed ones
"""Ends trainings in every way there is, and checks that going on changes nothing.

`python scripts/soak/training.py [--kills 50] [--signals 10] [--only …] [--save]`

A tiny simulated cohort is trained through all stages by `ptacl train` once undisturbed and then
again and again: killed (SIGKILL) and stopped (SIGTERM, SIGINT) at random moments, with damaged
checkpoints, with recordings that are not finite, with other settings of reading ahead, and with
a second trainer on the same run. After `--resume` the losses of every step and the bits of the
final weights must be those of the undisturbed run. `--save` writes a dated report to
assets/benchmarks/. Exit status 1 when anything differs.
"""

import argparse
import datetime
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from ptacl_core import __version__
from ptacl_core.checkpoint import (
    DOCUMENT_FILE,
    STATE_FILE,
    WEIGHTS_FILE,
    load_document,
    load_tensors,
)
from ptacl_core.shards import ShardReader
from ptacl_core.train.metrics_log import read_metrics

STAGES = ("ecg", "cmr", "align", "finetune-ecg", "supervised-cmr")
SETTINGS = [
    *(
        f"{section}.optimisation.{key}={value}"
        for section in ("pretrain_ecg", "pretrain_cmr", "align", "finetune", "supervised")
        for key, value in (("steps", 9), ("checkpoint_every_steps", 2), ("validate_every_steps", 3))
    ),
    "align.optimisation.patience=2",
    "finetune.optimisation.patience=50",
    "finetune.drop_path=0.3",
    "supervised.modalities=['cmr']",
]
STREAMED = ["data.memory_budget_gib=0.0"]
STOP_LIMIT_S = 5.0
CHECKS = ["kills", "signals", "damage", "not-finite", "reading", "second-trainer"]
PTACL = [sys.executable, "-P", "-m", "ptacl_core"]


@dataclass
class Check:
    """One goal: how often it was tried, what failed, and figures worth printing."""

    name: str
    tried: int = 0
    failures: list[str] = field(default_factory=list)
    remark: str = ""

    def expect(self, is_so: bool, words: str) -> bool:
        """Note a failure unless `is_so`."""
        if not is_so:
            self.failures.append(words)
        return is_so


class Soak:
    """A cohort, the undisturbed outcome, and ways to disturb."""

    def __init__(self, folder: Path, *, seed: int):
        self.folder, self.cohort = folder, folder / "cohort"
        self.random = random.Random(seed)
        self.variables = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self._run(["simulate", str(self.cohort), "--preset", "tiny", "--patients", "40"])
        self.train("undisturbed")
        self.expected = self.outcome("undisturbed")
        self.num_lines = len(read_metrics(self.run_dir("undisturbed") / "metrics.jsonl"))

    def run_dir(self, name: str) -> Path:
        """Folder of a run."""
        return self.cohort / "runs" / name

    def command(self, name: str, extra: Sequence[str] = ()) -> list[str]:
        """`ptacl train` of all stages."""
        options = [word for setting in (*SETTINGS, *extra) for word in ("--set", setting)]
        return ["train", str(self.cohort), "--preset", "tiny", "--run", name, "--resume", *options]

    def start(self, name: str, extra: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Begin or go on, in a process of its own."""
        return subprocess.Popen(
            [*PTACL, *self.command(name, extra)],
            env=self.variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def train(self, name: str, extra: Sequence[str] = ()) -> str:
        """Train to the end; what was said on the way."""
        return self._run(self.command(name, extra))

    def outcome(self, name: str) -> dict[str, tuple[list, str]]:
        """Per stage the losses of all steps and validations and the hash of the weights."""
        lines = read_metrics(self.run_dir(name) / "metrics.jsonl")
        return {
            stage: (
                [
                    (line["step"], line.get("loss"), line.get("val_loss"))
                    for line in lines
                    if line["stage"] == stage
                ],
                load_document(self.run_dir(name) / "checkpoints" / stage / "final")
                .files[WEIGHTS_FILE]
                .sha256,
            )
            for stage in STAGES
        }

    def wait_for_lines(self, name: str, process: subprocess.Popen[str], num_lines: int) -> bool:
        """Wait until the metrics have so many lines; False when the process ended before."""
        metrics = self.run_dir(name) / "metrics.jsonl"
        while process.poll() is None:
            if metrics.exists() and metrics.read_bytes().count(b"\n") >= num_lines:
                return True
            time.sleep(0.001)
        return False

    def disturb(self, name: str, number: signal.Signals) -> tuple[int, float]:
        """Send a signal at a random moment of a new training; exit status and seconds to it."""
        process = self.start(name)
        self.wait_for_lines(name, process, self.random.randint(1, self.num_lines - 1))
        time.sleep(self.random.uniform(0.0, 0.05))
        process.send_signal(number)
        sent_s = time.perf_counter()
        process.communicate()
        return process.returncode, time.perf_counter() - sent_s

    def settle(self, check: Check, name: str, extra: Sequence[str] = ()) -> None:
        """Go on to the end, compare, and remove the run."""
        try:
            self.train(name, extra)
            check.expect(self.outcome(name) == self.expected, f"{name}: another outcome")
        except (RuntimeError, OSError) as error:
            check.failures.append(f"{name}: {error}")
        shutil.rmtree(self.run_dir(name), ignore_errors=True)

    def _run(self, arguments: list[str]) -> str:
        done = subprocess.run(
            [*PTACL, *arguments], env=self.variables, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"exit status {done.returncode}: {done.stderr[-400:]}")
        return done.stderr


def check_kills(soak: Soak, count: int) -> Check:
    """R27: kill -9 at random moments."""
    check = Check("kill -9, resumed bit for bit")
    for index in range(count):
        check.tried += 1
        soak.disturb(f"killed-{index}", signal.SIGKILL)
        soak.settle(check, f"killed-{index}")
    return check


def check_signals(soak: Soak, count: int) -> Check:
    """R28: SIGTERM and SIGINT in turn; exit 0 or 130, state saved."""
    check = Check("SIGTERM and SIGINT, resumed bit for bit")
    times_s = []
    for index in range(count):
        check.tried += 1
        number = (signal.SIGTERM, signal.SIGINT)[index % 2]
        code, elapsed_s = soak.disturb(f"stopped-{index}", number)
        expected = {signal.SIGTERM: 0, signal.SIGINT: 130}[number]
        is_over = (soak.run_dir(f"stopped-{index}") / "checkpoints" / STAGES[-1] / "final").exists()
        check.expect(
            is_over or code == expected, f"stopped-{index}: {number.name} exit status {code}"
        )
        times_s.append(elapsed_s)
        soak.settle(check, f"stopped-{index}")
    slow = sum(elapsed_s > STOP_LIMIT_S for elapsed_s in times_s)
    check.remark = f"left after at most {max(times_s, default=0):.2f} s; {slow} over {STOP_LIMIT_S}"
    return check


def flip_bit(path: Path) -> None:
    """One bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x04
    path.write_bytes(bytes(data))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a bit of the weights": lambda folder: flip_bit(folder / WEIGHTS_FILE),
    "weights cut short": lambda folder: os.truncate(folder / WEIGHTS_FILE, 100),
    "weights empty": lambda folder: os.truncate(folder / WEIGHTS_FILE, 0),
    "weights gone": lambda folder: (folder / WEIGHTS_FILE).unlink(),
    "a bit of the state": lambda folder: flip_bit(folder / STATE_FILE),
    "state of zeros": lambda folder: (folder / STATE_FILE).write_bytes(
        bytes((folder / STATE_FILE).stat().st_size)
    ),
    "document gone": lambda folder: (folder / DOCUMENT_FILE).unlink(),
    "document garbage": lambda folder: (folder / DOCUMENT_FILE).write_bytes(b"\xff{]"),
}


def check_damage(soak: Soak) -> Check:
    """R29: the newest checkpoint damaged; training falls back to the one before."""
    check = Check("damaged checkpoint, the one before is taken, same final bits")
    align_starts = next(
        index
        for index, line in enumerate(
            read_metrics(soak.run_dir("undisturbed") / "metrics.jsonl"), start=1
        )
        if line["stage"] == "align"
    )
    for index, (kind, damage) in enumerate(DAMAGE.items()):
        check.tried += 1
        name = f"damaged-{index}"
        process = soak.start(name)
        soak.wait_for_lines(name, process, align_starts + 6)
        process.kill()
        process.communicate()
        folders = sorted((soak.run_dir(name) / "checkpoints" / "align").glob("step-*"))
        if check.expect(len(folders) >= 2, f"{kind}: killed too late to have two checkpoints"):
            damage(folders[-1])
            said = soak.train(name)
            named = f"align/{folders[-1].name}"
            check.expect(f"warning: {named}" in said, f"{kind}: no warning that names {named}")
            soak.settle(check, name)
    return check


POISON = {"one NaN": np.nan, "one inf": np.inf, "one -inf": -np.inf, "all NaN": np.nan}


def check_not_finite(soak: Soak) -> Check:
    """R30: recordings that are not finite are skipped and named; weights stay finite."""
    check = Check("NaN or inf in a recording: skipped, named, weights finite")
    with ShardReader.open(soak.cohort) as reader:
        row = int(reader.rows("train")[3])
        shard = reader.table.column("shard")[row].as_py()
        at = reader.table.column("ecg_row")[row].as_py()
    path = soak.cohort / "shards" / shard / "ecg.npy"
    original = path.read_bytes()
    for index, (kind, value) in enumerate(POISON.items()):
        check.tried += 1
        name = f"poisoned-{index}"
        signals = np.load(path, mmap_mode="r+")
        if kind.startswith("all"):
            signals[at] = value
        else:
            signals[at, 5, 100:2600] = value
        signals.flush()
        del signals
        try:
            said = soak.train(name)
            check.expect(f"manifest row {row} " in said, f"{kind}: row {row} is not named")
            for stage in STAGES:
                final = soak.run_dir(name) / "checkpoints" / stage / "final"
                load_tensors(final, load_document(final), WEIGHTS_FILE)  # refuses what is not
        except (RuntimeError, OSError) as error:
            check.failures.append(f"{kind}: {error}")
        finally:
            path.write_bytes(original)
        shutil.rmtree(soak.run_dir(name), ignore_errors=True)
    return check


def check_reading(soak: Soak) -> Check:
    """R31: recordings streamed with different numbers of batches read ahead."""
    check = Check("streamed, 0, 2 and 4 batches read ahead, killed and resumed")
    for ahead in (0, 2, 4):
        check.tried += 1
        extra = [*STREAMED, f"data.prefetch_batches={ahead}"]
        name = f"ahead-{ahead}"
        process = soak.start(name, extra)
        soak.wait_for_lines(name, process, soak.random.randint(2, soak.num_lines - 2))
        process.kill()
        process.communicate()
        soak.settle(check, name, extra)
    return check


def check_second_trainer(soak: Soak) -> Check:
    """A run that is being trained is refused to others, with the process named."""
    check = Check("a second trainer is refused and the first one named")
    check.tried += 1
    first = soak.start("busy")
    soak.wait_for_lines("busy", first, 2)
    first.send_signal(signal.SIGSTOP)
    second = soak.start("busy")
    said = second.communicate()[1]
    first.send_signal(signal.SIGCONT)
    first.communicate()
    check.expect(second.returncode == 2, f"exit status {second.returncode} instead of 2")
    check.expect(f"process {first.pid}" in said, f"process {first.pid} is not named: {said[-200:]}")
    soak.settle(check, "busy")
    return check


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--signals", type=int, default=10)
    parser.add_argument("--only", nargs="+", choices=CHECKS, default=CHECKS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", action="store_true")
    arguments = parser.parse_args()
    lines = [
        f"# Trainings that end early, {datetime.date.today()}",
        "",
        f"`python scripts/soak/training.py {' '.join(sys.argv[1:])}`".replace(" `", "`")
        + f" · PTACL {__version__}",
        "",
        "| what | held | |",
        "|---|---|---|",
    ]
    failures = []
    with tempfile.TemporaryDirectory(prefix="ptacl-soak-") as folder:
        soak = Soak(Path(folder), seed=arguments.seed)
        checks: dict[str, Callable[[], Check]] = {
            "kills": lambda: check_kills(soak, arguments.kills),
            "signals": lambda: check_signals(soak, arguments.signals),
            "damage": lambda: check_damage(soak),
            "not-finite": lambda: check_not_finite(soak),
            "reading": lambda: check_reading(soak),
            "second-trainer": lambda: check_second_trainer(soak),
        }
        for name, make in checks.items():
            if name not in arguments.only:
                continue
            check = make()
            failed = len({words.partition(":")[0] for words in check.failures})
            lines.append(
                f"| {check.name} | {check.tried - failed}/{check.tried} | {check.remark} |"
            )
            print(lines[-1], flush=True)
            failures += [f"{check.name}: {words}" for words in check.failures]
    print("\n".join(failures))
    if arguments.save:
        path = ROOT / "assets" / "benchmarks" / f"soak_training_{datetime.date.today()}.md"
        path.write_text("\n".join([*lines, *failures]) + "\n", encoding="utf-8")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
