"""The workflow's SLURM profile on a real SLURM of one node, two of its tasks killed at work."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = Path("/etc/slurm/slurm.conf")


def test_the_tasks_run_by_slurm_and_the_killed_ones_again(tmp_path):
    script = str(ROOT / "scripts" / "soak" / "platform_workflow.py")
    report = tmp_path / "report.md"
    done = subprocess.run(
        [sys.executable, script, "--slurm", "--people", "8", "--parts", "5", "--until", "merge",
         "--report", str(report)],
        capture_output=True, text=True, check=False, timeout=1800,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    text = report.read_text()
    assert "Differences between the merged cohort and that of one call: 0" in text
    assert "by SLURM" in text
    assert not PLACE.exists()  # the node is gone, and its place with it
