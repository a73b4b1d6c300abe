"""A small cohort behind `ptacl-app web`'s own server, for a real browser."""

import pytest
from aiohttp.test_utils import TestServer

from ptacl_app.web.command import build_command
from ptacl_app.web.guard import SessionGuard
from ptacl_app.web.server import build_server
from tests.app.conftest import build_cohort

FIRST = b"RESEARCH USE ONLY"


@pytest.fixture
async def site(tmp_path, monkeypatch):
    for variable in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    cohort = build_cohort(tmp_path / "cohort", num_patients=24)
    guard = SessionGuard("secret-token", host="127.0.0.1", port=1)
    command = build_command(cohort, theme=None, is_private=False)
    server = TestServer(build_server(guard, lambda: command), host="127.0.0.1")
    await server.start_server()
    guard.authority = f"127.0.0.1:{server.port}"
    guard.origin = f"http://{guard.authority}"
    yield guard
    await server.close()


async def open_page(browser, site):
    tab = await browser.open(f"{site.origin}/?token=secret-token")
    await tab.wait_for(FIRST)
    return tab
