#!/usr/bin/env python
"""The workflow on UK Biobank's platform, of invented people: parts apart, two killed, equal to one.

    nice -n 10 python scripts/soak/platform_workflow.py --people 500 --report report.md
    python scripts/soak/platform_workflow.py --people 160 --until all --slurm

The tree has zips and XML files by NN/, a table in each header style and a withdrawal list. The
workflow preprocesses it in parts, each in a folder of its own; two of them die by SIGKILL and are
run again by the workflow. What is merged must be the cohort of one call per pseudonym and visit:
arrays bit for bit, rows field for field, and the rows of the store. `--slurm` has a real SLURM of
one node run the tasks. Exit status 1 when they are not equal.
"""

import argparse
import os
import platform as machine
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from ptacl_core.stages.preprocess import run as preprocess  # noqa: E402
from tests.pipeline.platform_tree import (  # noqa: E402
    STORE_TABLES,
    Platform,
    build_platform,
    find_differences,
    read_content,
)

DEPLOY = ROOT / "scripts" / "deploy"
KILLED = (2, 5)
KEY = "00" * 32
SLURM_WORDS = (
    "--slurm-no-account", "--slurm-status-command", "squeue",
    "--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--parts", type=int, default=8)
    parser.add_argument("--until", default="merge", help="last rule: merge, or all")
    parser.add_argument("--slurm", action="store_true")
    parser.add_argument("--folder", type=Path, help="new folder that is kept, to look into")
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    if options.folder is not None:
        options.folder.mkdir(parents=True)
        text, faults = rehearse(options.folder.absolute(), options)
    else:
        with tempfile.TemporaryDirectory(prefix="ptacl-rehearsal-") as name:
            text, faults = rehearse(Path(name), options)
    print(text)
    if options.report is not None:
        options.report.write_text(text)
    return 1 if faults else 0


def rehearse(folder: Path, options: argparse.Namespace) -> tuple[str, int]:
    tree = build_platform(folder / "project", options.people)
    withdrawn = tree.withdrawal.rename(folder / "withdrawn.csv")
    files = [path for path in sorted(tree.root.rglob("*")) if path.suffix in (".xml", ".zip")]
    listing = folder / "listing.txt"
    listing.write_text("".join(f"{path}\n" for path in files))
    work = folder / "work"
    work.mkdir()
    work.joinpath("cohort.key").write_text(KEY)  # decides who is in which split: always the same
    started_s = time.monotonic()
    with one_node(folder / "slurm") if options.slurm else surroundings() as environment:
        killed = run_killing(
            command(tree, listing, withdrawn, work, options), environment, folder / "scratch"
        )
    workflow_s = time.monotonic() - started_s
    os.environ["PTACL_KEYS"] = str(work / "keys")
    whole = folder / "whole"
    settings = preprocess.PreprocessSettings()
    preprocess.open_or_create(whole, settings, key_from=work / "cohort.key")
    started_s = time.monotonic()
    source = preprocess.Sources((tree.root,), withdrawn=(withdrawn,))
    summary = preprocess.run(source, whole, num_workers=1)
    whole_s = time.monotonic() - started_s
    differences = find_differences(work / "cohort", whole)
    num_visits = len(read_content(whole))
    expected = {"ecg": tree.num_ecg, "cmr": tree.num_cmr, "pairs": tree.num_pairs}
    faults = len(differences) + (summary.accepted != expected) + (set(killed) != set(KILLED))
    left = list((folder / "scratch").rglob("*.zip"))
    by_whom = "SLURM, one node on this machine" if options.slurm else "Snakemake on this machine"
    done = sorted(path.name for path in (work / "done").iterdir())
    lines = [
        f"# The workflow on a platform tree of {options.people} invented people",
        "",
        f"{len(files)} recordings named by a list: {tree.num_ecg} ECGs, {tree.num_cmr} cines and "
        f"{tree.num_pairs} pairs of people who have not withdrawn; {len(tree.tables)} tables, each "
        "in another header style; two people withdrawn.",
        "",
        f"- Tasks run by {by_whom}, until `{options.until}`; {len(done)} ended: {', '.join(done)}",
        f"- Parts: {options.parts}, each in a folder of its own; killed by SIGKILL at work: "
        f"{', '.join(map(str, killed))}; the workflow ran them again",
        f"- Workflow: {workflow_s:.0f} s; one call of `ptacl preprocess`: {whole_s:.0f} s",
        f"- Archives left in the scratch folder by the killed: {len(left)}",
        f"- One call: {summary.accepted}, {num_visits} visits",
        f"- Differences between the merged cohort and that of one call: {len(differences)}",
        *(f"  - {difference}" for difference in differences[:20]),
        "",
        f"Compared: every field and array of {num_visits} visits, and of the store the tables "
        f"{', '.join(STORE_TABLES)}.",
        "",
        f"{os.cpu_count()} cores, {machine.machine()}, shared with other work, Python "
        f"{machine.python_version()}. `python scripts/soak/platform_workflow.py --people "
        f"{options.people} --parts {options.parts} --until {options.until}"
        f"{' --slurm' if options.slurm else ''}`",
    ]
    return "\n".join(lines) + "\n", faults


def command(
    tree: Platform, listing: Path, withdrawn: Path, work: Path, options: argparse.Namespace
) -> list[str]:
    settings = {
        "files_from": listing, "phenotypes": ",".join(map(str, tree.tables)),
        "withdrawn": withdrawn, "scratch": work.parent / "scratch", "parts": options.parts,
        "embed_parts": 2, "workers": 1, "train_threads": 1, "train_mem_mb": 4000, "preset": "tiny",
        "resamples": 100, "accept_membership": True,
    }  # fmt: skip
    profile = "slurm" if options.slurm else "local"
    return [
        sys.executable, "-m", "snakemake", "--snakefile", str(DEPLOY / "workflow" / "Snakefile"),
        "--directory", str(work), "--until", options.until,
        "--workflow-profile", str(DEPLOY / "workflow" / "profiles" / profile),
        *(SLURM_WORDS if options.slurm else ("--cores", "2")),
        "--config", *(f"{name}={value}" for name, value in settings.items()),
    ]  # fmt: skip


@contextmanager
def surroundings() -> Iterator[dict[str, str]]:
    """The environment of the workflow: this Python, this package."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    yield {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}


@contextmanager
def one_node(folder: Path) -> Iterator[dict[str, str]]:
    """The same with a SLURM that is there while the block runs."""
    script = str(DEPLOY / "slurm_one_node")
    with surroundings() as environment:
        # The daemons outlive the script, so that their output must not be waited for.
        subprocess.run([script, "start", str(folder)], check=True, stdout=subprocess.DEVNULL)
        try:
            yield environment
        finally:
            subprocess.run([script, "stop", str(folder)], check=True)


def run_killing(words: list[str], environment: dict[str, str], scratch: Path) -> list[int]:
    """Run the workflow to its end; each part of KILLED dies once, while it is at work."""
    killed: list[int] = []
    with (
        tempfile.TemporaryFile(mode="w+") as log,
        subprocess.Popen(words, env=environment, stdout=log, stderr=log) as running,
    ):
        while running.poll() is None:
            for part in KILLED:
                if part not in killed and kill_worker(scratch / f"ptacl-part-{part}"):
                    killed.append(part)
            time.sleep(0.05)
        if running.returncode:
            log.seek(0)
            raise SystemExit(f"the workflow failed:\n{log.read()[-4000:]}")
    return killed


def kill_worker(scratch: Path) -> bool:
    """SIGKILL for the process that preprocesses with this scratch folder, once it copied there."""
    if not scratch.is_dir():
        return False
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = process.joinpath("cmdline").read_bytes().split(b"\0")
            if str(scratch).encode() in words and b"ptacl_core" in words:
                os.kill(int(process.name), signal.SIGKILL)
                return True
    return False


if __name__ == "__main__":
    sys.exit(main())
