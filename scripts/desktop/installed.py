"""The wheel, built and installed into an empty environment and an empty home, as a user has it."""

import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from scripts.desktop.screen import Screen

ROOT = Path(__file__).resolve().parents[2]
QUIET = ("-q", "--disable-pip-version-check")
DEVTOOLS = "QTWEBENGINE_CHROMIUM_FLAGS"


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and the home of the one who starts it."""

    environment: Path
    home: Path

    @property
    def program(self) -> Path:
        """What the wheel put on the path."""
        return self.environment / "bin" / "ptacl-app"

    def variables(self, screen: Screen, *, devtools_port: int | None = None) -> dict[str, str]:
        """What a desktop gives to what it starts; nothing of the developer's."""
        kept = {
            name: os.environ[name] for name in ("LANG", "USER", "LOGNAME") if name in os.environ
        }
        variables = {
            **kept,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "DISPLAY": screen.display,
            "OMP_NUM_THREADS": "1",
        }
        if os.geteuid() == 0:
            variables["PTACL_TEST_NO_SANDBOX"] = "1"
        if devtools_port is not None:  # to read the page, never to act on it
            variables[DEVTOOLS] = f"--remote-debugging-port={devtools_port}"
        return variables

    def install_entry(self, screen: Screen) -> str:
        """`ptacl-app desktop --install`; what it printed."""
        return subprocess.run(
            [str(self.program), "desktop", "--install"], env=self.variables(screen), check=True,
            capture_output=True, text=True, cwd=self.home,
        ).stdout  # fmt: skip

    def launch(
        self, screen: Screen, *files: Path, devtools_port: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Start it from its menu entry, as a desktop does."""
        return subprocess.Popen(
            ["gtk-launch", "ptacl", *(path.as_uri() for path in files)],
            env=self.variables(screen, devtools_port=devtools_port), cwd=self.home,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def family(self) -> list[psutil.Process]:
        """All processes of this environment: by their home, whoever their parent is."""
        return [process for process in psutil.process_iter() if _has_home(process, self.home)]

    def list_starters(self) -> list[psutil.Process]:
        """Those that an entry started: their parent is none of the family. A second start ends."""
        family = self.family()
        numbers = {process.pid for process in family}
        return [process for process in family if _is_starter(process, numbers)]

    def list_ports(self) -> list[int]:
        """Where the family listens."""
        return sorted(_iter_ports(self.family()))


def _has_home(process: psutil.Process, home: Path) -> bool:
    try:
        return process.environ().get("HOME") == str(home)
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False


def _is_starter(process: psutil.Process, family: set[int]) -> bool:
    try:
        return process.ppid() not in family and "desktop" in process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def _iter_ports(family: list[psutil.Process]) -> Iterator[int]:
    for process in family:
        try:
            connections = process.net_connections(kind="tcp")
        except psutil.NoSuchProcess:
            continue
        for connection in connections:
            if connection.status == psutil.CONN_LISTEN:
                yield connection.laddr.port


def build_wheel(folder: Path) -> Path:
    """The wheel of what is committed."""
    source = folder / "source"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", *QUIET,
         "-w", str(folder), str(source)],
        check=True,
    )  # fmt: skip
    return next(folder.glob("ptacl-*.whl"))


def install_wheel(wheel: Path, folder: Path, *, shared: list[str] | None = None) -> Installed:
    """Into an empty environment whose dependencies are those of `shared` folders.

    By default the folders of packages that run this.
    """
    environment, home = folder / "venv", folder / "home"
    home.mkdir()
    venv.create(environment, with_pip=False)
    packages = next(environment.glob("lib/python3.*/site-packages"))
    folders = shared or [path for path in sys.path if path.endswith("site-packages")]
    (packages / "shared.pth").write_text("\n".join(folders))
    python = environment / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", *QUIET,
         str(wheel)],
        check=True,
    )  # fmt: skip
    return Installed(environment, home)
