"""R22 in short: files that break a reader leave the app running; 60 in `scripts/soak/app.py`."""

import importlib.util
import os
import random
import signal
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
NAMES = ("huge.npy", "laughs.xml", "pickle.npy", "slip.zip", "lengths.dcm")


@pytest.fixture
def soak_app(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("soak_app", SCRIPTS / "soak" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_broken_files_and_a_killed_child_leave_the_app_running(
    make_app, settle, bare_cohort_dir, tmp_path, soak_app
):
    places = list(soak_app.SPECIALS)
    app = make_app(bare_cohort_dir)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        for name in NAMES:
            path = soak_app.write_broken(tmp_path, places.index(name), random.Random(0))
            said, is_held = await soak_app.load(app, pilot, path)
            assert is_held, said
            assert name in said
        os.kill(app.files._worker.process_id, signal.SIGKILL)
        said, is_held = await soak_app.load(app, pilot, soak_app.SAMPLES / "JS20000.hea")
        if said != "shown":  # the end was noticed by this file: the next one has a new child
            assert is_held, said
            said, is_held = await soak_app.load(app, pilot, soak_app.SAMPLES / "JS20000.hea")
        assert (said, is_held) == ("shown", True)
