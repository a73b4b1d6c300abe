#!/usr/bin/env python3
"""Execute the Dockerfile without Docker: every step in a clean Debian root, then use the result.

    python scripts/deploy/image/rehearse.py CONTEXT --variant cpu --work FOLDER --report report.md

As root, with debootstrap. Steps that do not ask apt run without network; what the image is for runs
without network, without HOME and as a user whom no file names, and may write below /work alone.
FOLDER keeps Debian's base for the next time, and what was built: `--again` only uses that. Exit
status 1 when a step fails.
"""

import argparse
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from context import check_context, read_steps

SUITE = "bookworm"
STRANGER = "12345:12345"
USES = (
    "ptacl --version",
    "ptacl doctor",
    "ptacl demo /work/demo --quick",
    "ptacl verify /work/demo",
)


@dataclass
class Stage:
    """A root on disk and what earlier steps set in it."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"

    def expand(self, words: str) -> str:
        known = {**self.arguments, **self.variables}
        return re.sub(r"\$\{(\w+)\}", lambda match: known[match[1]], words)


@dataclass(frozen=True)
class Done:
    """One step that ran."""

    step: str
    seconds: float
    status: int
    last_line: str


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("context", type=Path)
    parser.add_argument("--variant", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--again", action="store_true", help="use the image that FOLDER holds")
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    if os.getuid() != 0 or shutil.which("debootstrap") is None:
        parser.error("expected root and Debian's package debootstrap")
    faults = check_context(options.context)
    kept = options.work / f"built-{options.variant}.json"
    if options.again:
        image, done = read_built(kept)
    else:
        done = []
        base = make_base(options.work)
        image = build(options.context, options.variant, base, options.work, done)
        if image is not None:
            write_built(kept, image, done)
    strays: list[str] = []
    if image is not None:
        strays = use(image, done)
    text = write_report(options, faults, done, strays, image)
    print(text)
    if options.report is not None:
        options.report.write_text(text)
    return 1 if faults or strays or image is None or any(step.status for step in done) else 0


def write_built(kept: Path, image: Stage, done: list[Done]) -> None:
    document = {"image": asdict(image), "steps": [asdict(step) for step in done]}
    kept.write_text(json.dumps(document, default=str, indent=1))


def read_built(kept: Path) -> tuple[Stage, list[Done]]:
    """The image of an earlier call, and the steps that built it."""
    document = json.loads(kept.read_text())
    image = Stage(**{**document["image"], "root": Path(document["image"]["root"])})
    return image, [Done(**step) for step in document["steps"]]


def make_base(work: Path) -> Path:
    """Debian as its own tool lays it out, made once."""
    base = work / "base"
    if not (work / "base-is-whole").exists():
        shutil.rmtree(base, ignore_errors=True)
        subprocess.run(["debootstrap", "--variant=minbase", SUITE, str(base)], check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        (work / "base-is-whole").touch()
    return base


def build(context: Path, variant: str, base: Path, work: Path, done: list[Done]) -> Stage | None:
    """The last stage, or None when a step failed."""
    stages: dict[str, Stage] = {}
    given = {"VARIANT": variant}
    stage = None
    for keyword, words in read_steps((context / "Dockerfile").read_text()):
        if keyword == "FROM":
            name = words.rpartition(" AS ")[2] if " AS " in words else "image"
            root = work / name
            shutil.rmtree(root, ignore_errors=True)
            subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(root)], check=True)
            stage = stages[name] = Stage(root)
        elif stage is None:
            continue  # ARG before the first FROM names the base, which is debootstrap's here
        elif keyword == "ARG":
            name, _, default = words.partition("=")
            stage.arguments[name] = given.get(name, stage.expand(default))
        elif keyword == "ENV":
            for word in shlex.split(stage.expand(words)):
                name, _, value = word.partition("=")
                stage.variables[name] = value
        elif keyword == "WORKDIR":
            stage.folder = words
            stage.root.joinpath(words.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif keyword == "USER":
            stage.user = words
        elif keyword == "COPY":
            copy(stage, stages, context, stage.expand(words))
        elif keyword == "RUN":
            result = run(stage, words, has_network="apt-get" in words, user=stage.user)
            done.append(result)
            if result.status:
                return None
    return stage


def copy(stage: Stage, stages: dict[str, Stage], context: Path, words: str) -> None:
    """COPY of one folder, from the context or from another stage."""
    *flags, source, target = words.split()
    start = context
    for flag in flags:
        start = stages[flag.removeprefix("--from=")].root
    place = stage.root / target.lstrip("/")
    shutil.copytree(start / source.lstrip("/"), place, symlinks=True, dirs_exist_ok=True)


def run(
    stage: Stage, words: str, *, has_network: bool, user: str, home: str | None = "/root"
) -> Done:
    """One command in the root, in namespaces of its own that end with it."""
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    environment |= {"DEBIAN_FRONTEND": "noninteractive"} | stage.variables
    if "OMP_NUM_THREADS" in os.environ:  # as on any shared machine
        environment["OMP_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"]
    if home is not None:
        environment["HOME"] = home
    if has_network:
        shutil.copyfile("/etc/resolv.conf", stage.root / "etc/resolv.conf")
    inner = (
        f"mount -t proc proc {shlex.quote(str(stage.root))}/proc"
        f" && mkdir -p {shlex.quote(str(stage.root))}/dev/shm"
        f" && mount -t tmpfs tmpfs {shlex.quote(str(stage.root))}/dev/shm && exec chroot"
        f" --userspec={user} {shlex.quote(str(stage.root))} /bin/sh -c"
        f" {shlex.quote(f'cd {stage.folder} && {words}')}"
    )
    spaces = ["--mount", "--pid", "--fork", *([] if has_network else ["--net"])]
    started_s = time.monotonic()
    finished = subprocess.run(
        ["unshare", *spaces, "/bin/sh", "-c", inner],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = (finished.stdout + finished.stderr).strip().splitlines() or [""]
    last = (finished.stdout.strip().splitlines() or lines)[-1] if not finished.returncode else (
        " / ".join(lines[-8:]))  # fmt: skip
    return Done(words, time.monotonic() - started_s, finished.returncode, last)


def use(image: Stage, done: list[Done]) -> list[str]:
    """What the image is for, as a stranger without a home; files written outside /work."""
    stamp = image.root / "work" / "stamp"
    stamp.touch()
    done += [run(image, words, has_network=False, user=STRANGER, home=None) for words in USES]
    listing = subprocess.run(
        ["find", str(image.root), "-xdev", "-path", f"{image.root}/work", "-prune", "-o",
         "-newer", str(stamp), "-type", "f", "-print"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [line.removeprefix(str(image.root)) for line in listing.stdout.splitlines()]


def write_report(
    options: argparse.Namespace,
    faults: list[str],
    done: list[Done],
    strays: list[str],
    image: Stage | None,
) -> str:
    lines = [
        f"# The image, variant {options.variant}, step by step in a clean Debian root",
        "",
        f"debootstrap --variant=minbase {SUITE}, {platform.machine()}. Steps that do not ask apt "
        f"ran without network; the last {len(USES)} without network, without HOME, as user "
        f"{STRANGER}, whom no file names.",
        "",
        f"Faults of the build context: {len(faults)}",
        *(f"- {fault}" for fault in faults),
        "",
        "| step | seconds | exit status | last line |",
        "|---|---|---|---|",
    ]
    for step in done:
        shown = step.last_line.replace("|", "/")[:600]
        lines.append(f"| `{step.step}` | {step.seconds:.0f} | {step.status} | {shown} |")
    size = "not built"
    if image is not None:
        counted = subprocess.run(["du", "-s", "-B1", "--exclude=work", str(image.root)],
                                 capture_output=True, text=True, check=True)  # fmt: skip
        size = f"{int(counted.stdout.split()[0]) / 1e9:.2f} GB"
    lines += ["", f"Size on disk: {size}. Files written outside /work: {len(strays)}"]
    lines += [f"- {stray}" for stray in strays[:20]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
