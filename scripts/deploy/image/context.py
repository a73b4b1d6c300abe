#!/usr/bin/env python3
"""The build context of the image: Dockerfile, all wheels, and a lock that names each by its hash.

    python scripts/deploy/image/context.py CONTEXT --variant cpu --torch FOLDER
    python scripts/deploy/image/context.py CONTEXT --check

Everything but torch comes as requirements.lock names it. For CPUs torch's wheel is
taken from FOLDER, since the index's own needs CUDA's packages; for CUDA it is downloaded with them.
A second call downloads what is missing. `--check` reads CONTEXT again and names each fault.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
LOCK = "lock.txt"
PYTHON = "cp311"
"""Debian 12's Python, which the image has."""


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("context", type=Path)
    parser.add_argument("--variant", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--torch", type=Path, help="folder with torch's wheel, for CPUs")
    parser.add_argument("--check", action="store_true", help="only look for faults")
    options = parser.parse_args()
    if not options.check:
        if (options.variant == "cpu") != (options.torch is not None):
            parser.error("--torch FOLDER goes with --variant cpu, and with it alone")
        make_context(options.context, options.variant, options.torch)
    faults = check_context(options.context)
    for fault in faults:
        print(f"fault: {fault}")
    print(f"{options.context.name}: {len(faults)} faults")
    return 1 if faults else 0


def make_context(context: Path, variant: str, torch_folder: Path | None) -> None:
    wheels = context / "wheels" / variant
    wheels.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(HERE / "Dockerfile", context / "Dockerfile")
    public = ROOT / "requirements.lock"
    download = ("-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps")
    run_python(*download, "--require-hashes", "--requirement", str(public), "--dest", str(wheels))
    make_wheels_of_sources(wheels)
    if torch_folder is not None:
        (wheel,) = torch_folder.glob(f"torch-*-{PYTHON}-{PYTHON}-*.whl")
        shutil.copyfile(wheel, wheels / wheel.name)
    else:
        download = (word for word in download if word != "--no-deps")
        constraints = str(ROOT / "constraints.txt")
        run_python(*download, "--constraint", constraints, "torch", "--dest", str(wheels))
    for old in wheels.glob("ptacl-*.whl"):
        old.unlink()
    make_own_wheel(wheels)
    lines = [lock_line(wheel) for wheel in sorted(wheels.glob("*.whl"))]
    (wheels / LOCK).write_text("".join(f"{line}\n" for line in lines))


def make_own_wheel(wheels: Path) -> None:
    """PTACL's wheel from what is committed, built away from the checkout."""
    with tempfile.TemporaryDirectory(prefix="ptacl-wheel-") as folder:
        archive = Path(folder) / "source.tar"
        git = ["git", "-C", str(ROOT), "archive", "--output", str(archive), "HEAD"]
        subprocess.run(git, check=True)
        shutil.unpack_archive(archive, Path(folder) / "source", filter="data")
        make_wheel(Path(folder) / "source", wheels)


def make_wheel(source: Path, wheels: Path) -> None:
    run_python(
        "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--wheel-dir", str(wheels), str(source),
    )  # fmt: skip


def make_wheels_of_sources(wheels: Path) -> None:
    """Packages that publish no wheel become one here; their sources were checked by hash."""
    for archive in sorted(wheels.glob("*.tar.gz")):
        try:
            make_wheel(archive, wheels)
        except subprocess.CalledProcessError:
            if not archive.name.startswith("hnswlib-"):
                raise
            print("hnswlib could not be built here (it needs a C++ compiler): search stays exact")
        archive.unlink()


def run_python(*words: str) -> None:
    """This Python; what it compiles is for every x86-64, not for this machine's processor."""
    environment = {**os.environ, "HNSWLIB_NO_NATIVE": "1"}
    subprocess.run([sys.executable, *words], check=True, env=environment)


def lock_line(wheel: Path) -> str:
    name, version = wheel.name.split("-")[:2]
    return f"{name.replace('_', '-').lower()}=={version} --hash=sha256:{hash_file(wheel)}"


def hash_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_context(context: Path) -> list[str]:
    """Faults of a build context: strays, hashes, wheels of another machine, the Dockerfile."""
    faults = check_dockerfile((context / "Dockerfile").read_text())
    folders = sorted(path for path in (context / "wheels").glob("*") if path.is_dir())
    allowed = {context / "Dockerfile"}
    for folder in folders:
        wheels = sorted(folder.glob("*.whl"))
        allowed |= {folder / LOCK, *wheels}
        locked = (folder / LOCK).read_text().splitlines() if (folder / LOCK).exists() else []
        wheel_names = {lock_line(wheel): wheel.name for wheel in wheels}
        faults += [
            f"{folder.name}: {line.split()[0]} has no wheel"
            for line in locked
            if line not in wheel_names
        ]
        faults += [
            f"{name}: not in {LOCK} under its hash"
            for line, name in wheel_names.items()
            if line not in locked
        ]
        faults += [
            f"{wheel.name}: not for Debian 12 on x86-64"
            for wheel in wheels
            if not fits_debian(wheel.name)
        ]
        if not any(wheel.name.startswith("ptacl-") for wheel in wheels):
            faults.append(f"{folder.name}: PTACL's own wheel is missing")
        nvidia = [wheel.name for wheel in wheels if wheel.name.startswith("nvidia")]
        if folder.name == "cpu" and nvidia:
            faults.append(f"{folder.name}: {len(nvidia)} wheels of CUDA")
    faults += [f"{path.relative_to(context)}: does not belong here" for path in context.rglob("*")
               if path.is_file() and path not in allowed]  # fmt: skip
    return faults if folders else [*faults, "wheels/: no variant"]


def fits_debian(name: str) -> bool:
    """Whether a wheel is for this Python and for glibc 2.36 on x86-64, or for every machine."""
    python, abi, system = name.removesuffix(".whl").split("-")[-3:]
    tags = set(python.split("."))
    if abi == "none" and system == "any":
        return bool(tags & {"py3", PYTHON})
    newest = [int(digits) for digits in re.findall(r"manylinux_2_(\d+)_x86_64", system)]
    runs = "linux" in system and "x86_64" in system and (not newest or min(newest) <= 36)
    minor = {int(digits) for tag in tags for digits in re.findall(r"^cp3(\d+)$", tag)}
    return runs and (
        PYTHON in tags
        or "py3" in tags
        or (abi == "abi3" and any(version <= 11 for version in minor))
    )


def check_dockerfile(text: str) -> list[str]:
    """What an image for others must not have; each rule is one line here."""
    steps = read_steps(text)
    faults = []
    for keyword, words in steps:
        if keyword == "ADD":
            faults.append("ADD: use COPY, which fetches and unpacks nothing")
        if keyword == "FROM" and words.split()[0].endswith(":latest"):
            faults.append(f"FROM {words}: a tag that moves")
        if keyword in ("ARG", "ENV") and re.search(r"(?i)passw|secret|token", words):
            faults.append(f"{keyword} {words.split('=')[0]}: a secret would stay in the image")
        if keyword in ("RUN", "COPY", "ADD") and re.search(r"https?://|\bcurl\b|\bwget\b", words):
            faults.append(f"{keyword}: fetches by itself: {words[:60]}")
        if "pip install" in words and not {"--no-index", "--require-hashes"} <= set(words.split()):
            faults.append("RUN pip install: without --no-index and --require-hashes")
        if "apt-get install" in words:
            if "--no-install-recommends" not in words:
                faults.append("RUN apt-get install: without --no-install-recommends")
            if "rm -rf /var/lib/apt/lists" not in words:
                faults.append("RUN apt-get install: leaves the package lists in the layer")
    users = [words for keyword, words in steps if keyword == "USER"]
    if not users or not re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", users[-1]):
        faults.append("USER: the last one must be a number that is not root's")
    if steps and steps[-1][0] not in ("CMD", "ENTRYPOINT"):
        faults.append("CMD: the last step must say what runs")
    return faults


def read_steps(text: str) -> list[tuple[str, str]]:
    """Keyword and words of every step, lines that go on joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    steps = []
    for line in joined.splitlines():
        if line.strip():
            keyword, _, words = line.strip().partition(" ")
            steps.append((keyword.upper(), " ".join(words.split())))
    return steps


if __name__ == "__main__":
    sys.exit(main())
