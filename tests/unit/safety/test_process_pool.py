"""Processes that share the cores: their threads, their imports, and how they end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptacl_core.safety.processes.pool import WORKER_ENVIRONMENT, open_process_pool

PARENT = """
import os, sys, time
from ptacl_core.safety.processes.pool import open_process_pool
if __name__ == "__main__":
    with open_process_pool(1) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(60)
"""


def test_workers_have_one_native_thread_and_ours_get_their_environment_back(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    with open_process_pool(1) as pool:
        for name, value in WORKER_ENVIRONMENT.items():
            assert pool.submit(os.getenv, name).result() == value
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "PYTHONSAFEPATH" not in os.environ


def test_workers_import_nothing_from_the_folder_they_are_started_in(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('the folder was imported from')")
    monkeypatch.chdir(tmp_path)
    with open_process_pool(1) as pool:
        place = pool.submit(eval, "__import__('json').__file__").result()
    assert Path(place).parent != tmp_path


def test_an_exception_ends_the_pool_and_is_passed_on():
    with pytest.raises(KeyError), open_process_pool(1) as pool:
        pool.submit(os.getpid).result()
        raise KeyError


def test_workers_of_a_killed_parent_end(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    for _ in range(200):
        if not _is_alive(worker):
            return
        time.sleep(0.1)
    pytest.fail("the worker outlived its parent by 20 s")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
