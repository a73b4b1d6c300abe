"""`ptacl-app web COHORT`: check, print the address, serve until interrupted."""

import secrets
import sys
from pathlib import Path

from ptacl_app.web.address import check_host, check_port, parse_public_url
from ptacl_app.web.command import build_command
from ptacl_app.web.guard import SessionGuard
from ptacl_core.errors import ConfigError


def serve(
    cohort: Path,
    *,
    host: str,
    port: int,
    theme: str | None,
    is_private: bool,
    has_proxy: bool,
    public_url: str | None,
) -> None:
    """Serve until interrupted. Raises ConfigError, CohortError."""
    from ptacl_app.data.cohort_check import check_cohort

    check_host(host, has_proxy=has_proxy)
    if has_proxy and public_url is None:
        raise ConfigError(
            "--i-have-a-proxy: expected --public-url https://name too, the address that browsers "
            "open; pages and sockets are given to that address alone"
        )
    public = None if public_url is None else parse_public_url(public_url)
    check_port(host, port)
    cohort = check_cohort(cohort)
    try:
        from aiohttp import web as aiohttp_web
    except ImportError:
        raise ConfigError(
            "the browser needs two more packages; install them with `pip install 'ptacl[web]'`"
        ) from None
    from ptacl_app.web.server import build_server

    token = secrets.token_urlsafe(32)
    guard = SessionGuard(token, host=host, port=port, public=public)
    command = build_command(cohort, theme=theme, is_private=is_private)
    print(  # noqa: T201
        f"open  {guard.origin}/?token={token}\n"
        "Whoever has this address sees the cohort. Ctrl+C ends it.",
        file=sys.stderr,
        flush=True,
    )
    aiohttp_web.run_app(
        build_server(guard, lambda: command),
        host=host,
        port=port,
        print=lambda *_: None,
        access_log=None,
    )
