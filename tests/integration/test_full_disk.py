"""Commands on a disk that fills up: one line that says so, exit status 2, nothing lost."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = (
    "import sys; sys.path.append(sys.argv.pop(1)); from ptacl_core.cli.main import main; main()"
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own needs root")


@pytest.fixture
def disk(trained_cohort: Path, tmp_path: Path) -> Iterator[Path]:
    """A small disk with a cohort on it, whose run is away."""
    place = tmp_path / "disk"
    place.mkdir()
    size = sum(path.stat().st_size for path in trained_cohort.rglob("*") if path.is_file())
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size + 2**22}", "tmpfs", str(place)], check=True
    )
    try:
        cohort = Path(shutil.copytree(trained_cohort, place / "cohort"))
        yield cohort
    finally:
        subprocess.run(["umount", str(place)], check=True)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT, str(ROOT), *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def fill(disk: Path, *, leave: int) -> None:
    free = shutil.disk_usage(disk).free
    disk.joinpath("filler").write_bytes(bytes(max(free - leave, 0)))


@pytest.mark.parametrize("leave", [0, 30_000, 120_000])
def test_a_training_ends_with_its_message_and_status(disk: Path, leave: int) -> None:
    place = disk.parent
    fill(place, leave=leave)
    for _ in range(3):  # what ended in an abort did so now and then
        training = run("train", disk, "--preset", "tiny", "--run", "second", "--resume")
        assert training.returncode == 2, (training.returncode, training.stderr)
        errors = [line for line in training.stderr.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, training.stderr
        assert "space" in training.stderr
        assert "Traceback" not in training.stderr
        assert "terminate" not in training.stderr
    place.joinpath("filler").unlink()
    again = run("train", disk, "--preset", "tiny", "--run", "second", "--resume")
    assert again.returncode == 0, again.stderr
    verified = run("verify", disk)
    assert verified.returncode == 0, verified.stdout
