"""Every command with sockets blocked and a careless umask: nothing is fetched, nobody else reads.

Nothing is written outside the folders that were given: home, the current folder and the system's
temporary folder stay empty.

The commands run in one process of their own, as the console script starts them; the hook that
forbids sockets is in its children too.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("trained")
ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "assets" / "samples" / "HR06000.hea"

_NO_SOCKETS = """
import sys

_REACHING = {
    "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto",
    "socket.sendmsg",
}

def _refuse(event, arguments):
    if event in _REACHING:
        raise SystemExit(f"reached for the network: {event}")

sys.addaudithook(_refuse)
"""

_COMMANDS = """
import json, os, sys
from ptacl_core.cli import main

os.umask(0o022)
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["ptacl", *arguments]
    child = os.fork()
    if child == 0:
        main.main()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, (arguments[0], status)
"""


def test_every_command_works_offline_and_writes_for_its_owner_alone(trained_cohort, tmp_path):
    cohort = Path(shutil.copytree(trained_cohort, tmp_path / "cohort"))
    for path in [cohort, *cohort.rglob("*")]:  # made by this process, with its own umask
        path.chmod(0o700 if path.is_dir() else 0o600)
    hook = tmp_path / "hook"
    hook.mkdir()
    hook.joinpath("sitecustomize.py").write_text(_NO_SOCKETS)
    shutil.copytree(os.environ["PTACL_KEYS"], tmp_path / "keys")  # of the cohort that was trained
    source = tmp_path / "source"
    source.mkdir()
    for ending in (".hea", ".mat"):
        shutil.copy(SAMPLE.with_suffix(ending), source)
    made, imported = str(tmp_path / "made"), str(tmp_path / "imported")
    commands = [
        ["simulate", made, "--preset", "tiny", "--patients", "4"],
        [
            "preprocess",
            str(source),
            "--cohort",
            imported,
            "--workers",
            "1",
            "--identities",
            "--scratch",
            str(tmp_path / "scratch"),
        ],
        ["train", str(cohort), "--preset", "tiny", "--stage", "ecg", "--run", "offline"],
        ["embed", str(cohort), "--run", "tiny"],
        ["evaluate", str(cohort), "--run", "tiny", "--resamples", "100"],
        ["predict", str(SAMPLE), "--cohort", str(cohort)],
        ["neighbours", str(cohort), "S000001"],
        ["query", str(cohort), "SELECT count(*) FROM overview"],
        ["query", str(cohort), "SELECT * FROM knn('S000001', 3)", "--format", "parquet"],
        ["erase", str(cohort), "S000003", "--yes"],
        ["verify", str(cohort)],
    ]
    bystanders = [tmp_path / name for name in ("home", "current", "temporary")]
    for folder in bystanders:
        folder.mkdir()
    environment = {
        **os.environ,
        "HOME": str(bystanders[0]),
        "TMPDIR": str(bystanders[2]),
        "PYTHONPATH": os.pathsep.join([str(hook), str(ROOT)]),
        "PTACL_KEYS": str(tmp_path / "keys"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    done = subprocess.run(
        [sys.executable, "-c", _COMMANDS, json.dumps(commands)],
        env=environment,
        cwd=bystanders[1],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert [path for folder in bystanders for path in folder.rglob("*")] == []
    assert list((tmp_path / "scratch").iterdir()) == []
    folders = [cohort, Path(made), Path(imported), tmp_path / "keys"]
    written = [path for folder in folders for path in [folder, *folder.rglob("*")]]
    assert len(written) > 60
    assert [path for path in written if path.lstat().st_mode & 0o077] == []


def test_the_hook_would_tell(tmp_path):
    """The positive control: with the hook, a socket that connects ends the process."""
    tmp_path.joinpath("sitecustomize.py").write_text(_NO_SOCKETS)
    code = "import socket; socket.create_connection(('127.0.0.1', 9))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "reached for the network" in done.stderr
