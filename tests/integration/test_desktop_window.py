"""`ptacl-app desktop` with a real browser as its window: start page, a cohort, a key, the end."""

import asyncio
import os
import shutil
import socket
import stat
import sys
from pathlib import Path

import psutil
from aiohttp import ClientSession

from tests.app.conftest import build_cohort
from tests.integration.chromium import Browser

ROOT = Path(__file__).resolve().parents[2]
START = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from ptacl_app.__main__ import main; sys.exit(main(sys.argv[1:]))"
)


def plant_chromium(folder: Path, port: int) -> None:
    """The real one without a screen, which a test can look into."""
    real = shutil.which("chromium") or shutil.which("chromium-browser")
    assert real, "chromium is not installed: scripts/integration installs it"
    folder.mkdir()
    program = folder / "chromium"
    program.write_text(
        f'#!/bin/sh\nexec {real} --headless=new --disable-gpu --remote-debugging-port={port} "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


async def test_a_window_opens_a_cohort_and_leaves_nothing(tmp_path):
    cohort = build_cohort(tmp_path / "cohort", num_patients=24)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    plant_chromium(tmp_path / "bin", port)
    variables = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PTACL_TEST_NO_SANDBOX": "1",
        "XDG_STATE_HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    window = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", START, str(ROOT), "desktop", env=variables
    )
    async with ClientSession() as session:
        tab = await Browser(session, port).take_first()
        await tab.wait_until("document.activeElement?.id === 'path'")
        await tab.evaluate("document.getElementById('path').value = '/nowhere'")
        await tab.evaluate("document.getElementById('open').requestSubmit()")
        await tab.wait_until("document.getElementById('fault').textContent.includes('nowhere')")
        await tab.evaluate(f"document.getElementById('path').value = {str(cohort)!r}")
        await tab.evaluate("document.getElementById('open').requestSubmit()")
        await tab.wait_for(b"RESEARCH USE ONLY")
        await tab.press("?")
        await tab.wait_for(b"Keys")
        family = psutil.Process(window.pid).children(recursive=True)
        assert len(family) > 2  # the browser's processes and the app's
        await tab.call("Browser.close")
        assert await asyncio.wait_for(window.wait(), 60) == 0
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
    assert list(tmp_path.rglob("desktop-window.json")) == []
