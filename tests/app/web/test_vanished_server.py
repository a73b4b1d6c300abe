"""An app whose server is gone ends by itself: status 0, no note of a fault, nothing said."""

import os
import subprocess

import pytest

from ptacl_app.terminal.page import DRIVER
from ptacl_app.web.command import build_command
from ptacl_core.cohort.erasure.app_state import get_state_dir


@pytest.mark.parametrize(
    "ends", [("stdin",), ("stdout", "stdin")], ids=["while idle", "while it draws"]
)
def test_an_app_without_its_server_ends_in_silence(cohort_dir, tmp_path, monkeypatch, ends):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    variables = {
        **os.environ, "TEXTUAL_DRIVER": DRIVER,
        "COLUMNS": "120", "ROWS": "36",
    }  # fmt: skip
    with subprocess.Popen(
        build_command(cohort_dir, theme=None, is_private=False), shell=True, env=variables,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
    ) as app:  # fmt: skip
        assert app.stdout is not None
        assert app.stderr is not None
        seen = app.stdout.read(len(b"__GANGLION__\n"))
        while ends == ("stdin",) and b"RESEARCH USE ONLY" not in seen:
            seen += app.stdout.read(2**16)
        for name in ends:
            getattr(app, name).close()
        while ends == ("stdin",) and app.stdout.read(2**16):
            pass
        assert app.wait(60) == 0
        assert app.stderr.read() == b""
    assert list(get_state_dir().glob("crash-*")) == []
