"""What figures were computed with: software and machine."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ptacl_core import __version__
from ptacl_core.documents.reproduction import Machine

PACKAGES = ("torch", "numpy", "scipy", "pyarrow", "duckdb", "neurokit2", "pywavelets")


def describe_software() -> dict[str, str]:
    """Versions of Python, of PTACL and of the libraries that compute."""
    software = {"ptacl": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            software[package] = version(package)
        except PackageNotFoundError:
            software[package] = "not installed"
    return software


def describe_code() -> str | None:
    """The commit of the checkout that runs, with "+changes" where its files differ from it.

    None of an installed package, whose version says it all.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD").strip()
        changes = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "ptacl_core")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit[:12]}{'+changes' if changes.strip() else ''}"


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=10,
    ).stdout


def describe_machine() -> Machine:
    """Processor, cores and the first GPU; no name of the machine or of a user."""
    import torch

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return Machine(
        processor=_name_processor(),
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        gpu=gpu,
        system=platform.system(),
    )


def _name_processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
