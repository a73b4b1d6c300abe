"""`ptacl doctor`: what this installation has, and what would keep it from working."""

import importlib.util
import os
import platform
import shutil
import stat
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from ptacl_core import __version__
from ptacl_core.cohort.private_folder import KEYS_VARIABLE, keys_folder
from ptacl_core.documents.doctor import (
    ComputeFacts,
    EnvironmentReport,
    ExtraFacts,
    FolderFacts,
    Folders,
    KeysFacts,
)

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "PyWavelets",
    "neurokit2",
    "duckdb",
    "pyarrow",
    "hnswlib",
    "pydicom",
    "nibabel",
    "pillow",
    "sierraecg",
    "defusedxml",
    "textual",
    "typer",
)
EXTRAS = {
    "hdf5": ("h5py", "ECGs in HDF5 files"),
    "web": ("textual_serve", "the app in a browser"),
    "compressed": ("libjpeg", "JPEG Lossless and JPEG-LS cines"),
}
"""Extra of the package: the module it brings, and what for."""

_MIN_FREE_BYTES = 2 * 1024**3


def run() -> EnvironmentReport:
    """Versions, compute, folders and extras of this installation; `problems` in words."""
    problems: list[str] = []
    packages, compute = _find_packages(problems), _find_compute(problems)
    folders = Folders(
        current=_check_folder(Path.cwd(), "current folder", problems),
        temporary=_check_folder(Path(tempfile.gettempdir()), "temporary folder", problems),
        keys=_check_keys(problems),
    )
    extras = {
        name: ExtraFacts(present=importlib.util.find_spec(module) is not None, purpose=purpose)
        for name, (module, purpose) in EXTRAS.items()
    }
    return EnvironmentReport(
        ptacl=__version__,
        python=platform.python_version(),
        executable=sys.executable,
        system=f"{platform.system()} {platform.machine()}",
        packages=packages,
        compute=compute,
        folders=folders,
        extras=extras,
        dicom_decoders=_find_decoders(),
        problems=tuple(problems),
    )


def _find_packages(problems: list[str]) -> dict[str, str | None]:
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
            problems.append(f"{name} is not installed; install ptacl again: pip install ptacl")
    return versions


def _find_compute(problems: list[str]) -> ComputeFacts:
    try:
        import torch
    except (ImportError, OSError) as error:
        problems.append(f"torch cannot be imported ({type(error).__name__}); install it again")
        return ComputeFacts(cores=_usable_cores(), memory_gib=_memory_gib(), device=None, gpus=())
    gpus = tuple(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    return ComputeFacts(
        cores=_usable_cores(),
        memory_gib=_memory_gib(),
        torch_threads=torch.get_num_threads(),
        device="cuda" if gpus else "cpu",
        gpus=gpus,
    )


def _usable_cores() -> int:
    """Cores this process may use, which in a container or batch job are not all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3, 1)
    except (ValueError, OSError, AttributeError):
        return None  # this system does not tell


def _check_folder(folder: Path, name: str, problems: list[str]) -> FolderFacts:
    is_writable = os.access(folder, os.W_OK | os.X_OK)
    free_bytes = shutil.disk_usage(folder).free
    if not is_writable:
        problems.append(f"the {name} cannot be written to: {folder}")
    elif free_bytes < _MIN_FREE_BYTES:
        problems.append(f"the {name} has {free_bytes / 1024**3:.1f} GiB left: {folder}")
    return FolderFacts(
        path=str(folder), writable=is_writable, free_gib=round(free_bytes / 1024**3, 1)
    )


def _check_keys(problems: list[str]) -> KeysFacts:
    """The folder of the pseudonyms' keys: for this user alone, or there yet to be made."""
    folder = keys_folder()
    if not folder.exists():
        above = next(parent for parent in folder.parents if parent.exists())
        is_writable = os.access(above, os.W_OK | os.X_OK)
        if not is_writable:
            problems.append(
                f"the keys folder cannot be made in {above}; set {KEYS_VARIABLE} to a private one"
            )
        return KeysFacts(path=str(folder), exists=False, mode=None, writable=is_writable)
    mode = stat.S_IMODE(folder.stat().st_mode)
    is_writable = os.access(folder, os.W_OK | os.X_OK)
    if mode & 0o077:
        problems.append(f"others can reach the keys folder (mode {mode:04o}): chmod 700 {folder}")
    open_keys = [key for key in folder.glob("*.key") if stat.S_IMODE(key.stat().st_mode) & 0o077]
    if open_keys:
        problems.append(f"{len(open_keys)} keys can be read by others: chmod 600 {folder}/*.key")
    if not is_writable:
        problems.append(f"the keys folder cannot be written to: {folder}")
    return KeysFacts(path=str(folder), exists=True, mode=f"{mode:04o}", writable=is_writable)


def _find_decoders() -> dict[str, bool]:
    """Which kinds of compressed DICOM pixels this installation can decode."""
    from PIL import features

    from ptacl_core.io.cine.dicom.pixel_layout import EXTRA_DECODERS, has_extra_decoders

    return {
        "RLE": True,
        "JPEG": bool(features.check("jpg")),
        "JPEG 2000": bool(features.check("jpg_2000")),
        **dict.fromkeys(EXTRA_DECODERS.values(), has_extra_decoders()),
    }
