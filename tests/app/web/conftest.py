"""`ptacl-app web`'s own server, without a browser."""

import pytest
from aiohttp.test_utils import TestServer

from ptacl_app.web.command import build_command
from ptacl_app.web.guard import SessionGuard
from ptacl_app.web.server import build_server


@pytest.fixture
async def site(cohort_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    guard = SessionGuard("secret-token", host="127.0.0.1", port=1)
    command = build_command(cohort_dir, theme=None, is_private=False)
    server = TestServer(build_server(guard, lambda: command), host="127.0.0.1")
    await server.start_server()
    guard.authority = f"127.0.0.1:{server.port}"
    guard.origin = f"http://{guard.authority}"
    yield guard
    await server.close()
