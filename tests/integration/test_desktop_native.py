"""The native window (PySide6) under Xvfb, with the wheel installed: from menu entry to end.

`scripts/desktop/drive.py` is the long form, with pictures and the model's answer.
"""

import asyncio
import subprocess
from importlib.util import find_spec

import pytest

from scripts.desktop.driving import open_window, wait_for_end
from scripts.desktop.installed import ROOT, build_wheel, install_wheel
from scripts.desktop.screen import open_screen
from scripts.desktop.steps import (
    close_by_its_button,
    drop_files,
    measure_qt,
    open_cohort_by_dialog,
    open_patient,
    save_report,
    watch_playback,
)
from tests.app.conftest import build_cohort

RECORDING = tuple(ROOT / "assets" / "samples" / f"HR06000.{end}" for end in ("hea", "mat"))
PACKED = ROOT / "ptacl_core" / "presets" / "models" / "example.ptacl"
TYPES = {  # a file manager looks at names and beginnings
    "model.ptacl": ("application/x-ptacl-model", PACKED.read_bytes()[:4096]),
    "without a suffix": ("application/x-ptacl-model", PACKED.read_bytes()[:4096]),
    "cohort.toml": ("application/x-ptacl-cohort", b'kind = "ptacl-cohort"\n'),
    "a.hea": ("application/x-wfdb-header", b"a 12 500 5000\n"),
    "b.edf": ("application/x-edf", b"0       ".ljust(256)),
    "c.bdf": ("application/x-edf", b"\xffBIOSEMI".ljust(256)),
    "d.scp": ("application/x-scp-ecg", bytes(16) + b"SCPECG"),
    "e.ecg": ("application/x-ishne-ecg", b"ISHNE1.0"),
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    assert find_spec("PySide6"), "PySide6 is not installed: scripts/integration installs it"
    folder = tmp_path_factory.mktemp("installed")
    return install_wheel(build_wheel(folder), folder)


@pytest.fixture(scope="module")
def screen():
    with open_screen() as screen:
        yield screen


def test_entry_and_types_are_what_a_desktop_takes(installed, screen, tmp_path):
    written = installed.install_entry(screen).split("\n")[:-1]
    entries = [written[0], str(installed.environment / "share/applications/ptacl.desktop")]
    answer = subprocess.run(
        ["desktop-file-validate", *entries], capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stdout) == (0, "")
    variables = installed.variables(screen)

    def ask(*words):
        return subprocess.run(
            words, env=variables, capture_output=True, text=True, check=False
        ).stdout

    for name, (kind, content) in TYPES.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert kind in ask("gio", "info", "-a", "standard::content-type", str(path))
        assert ask("xdg-mime", "query", "default", kind).strip() == "ptacl.desktop"
    assert "ptacl.desktop" in ask("gio", "mime", "inode/directory")


async def test_a_window_is_driven_from_its_entry_to_its_end(installed, screen, tmp_path):
    installed.install_entry(screen)
    cohort = build_cohort(tmp_path / "a cohort", num_patients=24)
    target = installed.home / "the report.html"
    async with open_window(installed, screen) as driven:
        await open_cohort_by_dialog(driven, cohort)
        await open_patient(driven, "p0000")
        assert len(set(await watch_playback(driven))) >= 5
        measured = await measure_qt(driven, cohort, "p0000")
        assert measured.error_ms <= 4.0, measured
        await driven.screen.press("Escape")
        await driven.screen.press("equal")
        await drop_files(driven, *RECORDING, has_model=False)
        await save_report(driven, target)
        (exported,) = (cohort / "exports").glob("report*.html")
        assert target.read_bytes() == exported.read_bytes()
        assert b"RESEARCH USE ONLY" in target.read_bytes().upper()
        first = installed.list_starters()
        screen.do("windowminimize", "--sync", driven.window)
        installed.launch(screen).wait(30)
        await screen.wait_for("^PTACL - research")
        async with asyncio.timeout(30):
            while installed.list_starters() != first:
                await asyncio.sleep(0.1)
        assert (
            len(installed.list_ports()) == 2
        )  # the site's, and DevTools', which the test asked for
        await close_by_its_button(driven)
        assert await wait_for_end(installed) == {"processes": [], "ports": []}


async def test_a_killed_window_leaves_nothing(installed, screen, tmp_path):
    installed.install_entry(screen)
    cohort = build_cohort(tmp_path / "cohort", num_patients=24)
    async with open_window(installed, screen, cohort) as driven:
        await driven.wait_for_text("RESEARCH USE ONLY")
        (first,) = installed.list_starters()
        first.kill()
        assert await wait_for_end(installed) == {"processes": [], "ports": []}
    assert list(installed.home.rglob("crash-*")) == []
