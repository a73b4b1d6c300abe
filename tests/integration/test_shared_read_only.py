"""One cohort on a read-only disk, two users at once: queried, verified, opened in the app."""

import os
import pty
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OWNER, GROUP = 65_531, 65_530
READERS = (65_532, 65_533)
PATIENCE_S = 300.0
CORE = "import sys; from ptacl_core.cli.main import main; main()"
APP = "import sys; from ptacl_app.__main__ import main; sys.exit(main(sys.argv[1:]))"
SEQUENCE = re.compile(rb"\x1b\[[0-9;?<>=]*[a-zA-Z]")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="other users and a mount need root")


def find_interpreter() -> str:
    """A Python of this version that every user may run."""
    for candidate in (
        os.path.realpath(sys.executable),
        f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}",
    ):
        closed = [parent for parent in Path(candidate).parents if not parent.stat().st_mode & 0o001]
        if Path(candidate).exists() and not closed:
            return candidate
    pytest.skip("no Python of this version that another user may run")


@pytest.fixture(autouse=True)
def readable_code() -> None:
    """The code and the libraries have to lie where every user may read them."""
    for place in (ROOT, Path(sysconfig.get_path("purelib"))):
        closed = [str(path) for path in (place, *place.parents) if not path.stat().st_mode & 0o001]
        if closed:
            pytest.skip(f"other users may not look into {closed[-1]}")


def start(user: int, home: Path, script: str, *arguments: object, **streams) -> subprocess.Popen:
    home.mkdir(exist_ok=True)
    os.chown(home, user, user)
    environment = {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "TERM": "xterm-256color",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}",
    }
    return subprocess.Popen(
        [find_interpreter(), "-P", "-c", script, *map(str, arguments)],
        user=user, group=user, extra_groups=[GROUP], env=environment, cwd="/", **streams,
    )  # fmt: skip


def ask(user: int, home: Path, *arguments: object) -> subprocess.Popen:
    return start(
        user, home, CORE, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def place(trained_cohort: Path) -> Iterator[Path]:
    """A folder that others may look into, with the cohort shared by its owner and mounted."""
    folder = Path("/tmp") / f"ptacl-shared-{os.getpid()}"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    cohort = Path(shutil.copytree(trained_cohort, folder / "cohort"))
    for path in (cohort, *cohort.rglob("*")):
        os.chown(path, OWNER, GROUP)
    mounted = folder / "mounted"
    mounted.mkdir()
    try:
        shared = ask(OWNER, folder / "owner", "share", cohort, "read")
        _, error = shared.communicate(timeout=PATIENCE_S)
        assert shared.returncode == 0, error
        subprocess.run(["mount", "--bind", str(cohort), str(mounted)], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", str(mounted)], check=True)
        yield folder
    finally:
        subprocess.run(["umount", str(mounted)], check=False)
        shutil.rmtree(folder)


def list_state(cohort: Path) -> list[tuple[str, int, int]]:
    entries = [(path, path.lstat()) for path in sorted(cohort.rglob("*"))]
    return [(str(path), status.st_size, status.st_mtime_ns) for path, status in entries]


def open_app(user: int, home: Path, cohort: Path) -> tuple[subprocess.Popen, int]:
    master, slave = pty.openpty()
    os.set_inheritable(slave, True)
    app = start(user, home, APP, cohort, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    return app, master


def read_until(master: int, text: bytes) -> bytes:
    written, deadline = b"", time.monotonic() + PATIENCE_S
    os.set_blocking(master, False)
    while time.monotonic() < deadline:
        try:
            written += os.read(master, 65536)
        except BlockingIOError:
            time.sleep(0.05)
        except OSError:
            break
        if text in SEQUENCE.sub(b"", written):
            return written
    raise AssertionError(f"{text!r} did not appear; the app wrote {len(written)} bytes")


def end_app(app: subprocess.Popen, master: int) -> None:
    """Ask it to end, and read what it still draws: a full terminal would hold it up."""
    app.terminate()
    deadline = time.monotonic() + PATIENCE_S
    os.set_blocking(master, False)
    while app.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            os.read(master, 65536)
        time.sleep(0.01)
    has_ended = app.poll() is not None
    app.kill()
    app.wait()
    os.close(master)
    assert has_ended, "the app does not end on SIGTERM"


def test_two_users_query_verify_and_open_it_at_once(place: Path) -> None:
    cohort = place / "mounted"
    before = list_state(place / "cohort")
    count = "SELECT count(*) AS people FROM patients"
    questions = [
        (user, ask(user, place / f"home-{user}", *arguments))
        for user in READERS
        for arguments in (
            ("query", cohort, count, "--format", "csv"),
            ("verify", cohort),
        )
    ]
    apps = [open_app(user, place / f"home-{user}", cohort) for user in READERS]
    try:
        for _, asked in questions:
            out, error = asked.communicate(timeout=PATIENCE_S)
            assert asked.returncode == 0, out + error
            assert out == "people\n160\n" or "no defect" in out, out
        for app, master in apps:
            read_until(master, b"S000001")
            assert app.poll() is None
    finally:
        for app, master in apps:
            end_app(app, master)
    assert list_state(place / "cohort") == before
    for user in READERS:
        logs = [path for path in (place / f"home-{user}").rglob("*.jsonl") if path.stat().st_size]
        assert logs, "what a reader asks is noted in their own folder"
    write = ask(READERS[0], place / f"home-{READERS[0]}", "train", cohort, "--preset", "tiny")
    _, error = write.communicate(timeout=PATIENCE_S)
    assert write.returncode > 0
    assert error.startswith("error: "), error
