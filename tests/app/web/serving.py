"""`ptacl-app web`'s own server around a cohort, for tests with and without a browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp.test_utils import TestServer

from ptacl_app.web.command import build_command
from ptacl_app.web.guard import SessionGuard
from ptacl_app.web.server import build_server


@asynccontextmanager
async def serve_cohort(cohort: Path) -> AsyncIterator[SessionGuard]:
    """The guard of a server that runs while the block does; its token is `secret-token`."""
    guard = SessionGuard("secret-token", host="127.0.0.1", port=1)
    command = build_command(cohort, theme=None, is_private=False)
    server = TestServer(build_server(guard, lambda: command), host="127.0.0.1")
    await server.start_server()
    guard.authority = f"127.0.0.1:{server.port}"
    guard.origin = f"http://{guard.authority}"
    yield guard
    await server.close()
