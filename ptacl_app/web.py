"""`ptacl-app web COHORT`: the same app in a browser, on this machine only.

textual-serve has no login and takes any origin. Here the address carries a secret that is
exchanged once for a cookie; every request needs the cookie and the right `Host`, the socket
also the exact `Origin`; nothing is fetched from elsewhere; at most a few sessions run.
"""

import argparse
import asyncio
import hmac
import secrets
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ptacl_app.text.formatting import RESEARCH_USE_SENTENCE, safe
from ptacl_core.errors import ConfigError, PtaclError

if TYPE_CHECKING:
    from aiohttp import web as aiohttp_web
    from textual_serve.app_service import AppService

DEFAULT_PORT = 8750
COOKIE = "ptacl_session"
MAX_SESSIONS = 4
HEARTBEAT_S = 15.0
END_DEADLINE_S = 5.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_BOOTSTRAP = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from ptacl_app.__main__ import main; sys.exit(main())"
)
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>PTACL - research use only</title>
<link rel="stylesheet" href="/static/css/xterm.css">
<script src="/static/js/textual.js"></script>
<style>
body { background: #0d1116; margin: 0; height: 100vh; overflow: hidden; }
#terminal { width: 100vw; height: 100vh; }
.ended { display: none; color: #d9e0e7; font: 16px system-ui, sans-serif; padding: 2em; }
body.-closed .ended { display: block; } body.-closed #terminal { display: none; }
</style></head>
<body><p class="ended">The session has ended. Reload the page to start another.</p>
<div id="terminal" class="textual-terminal" data-session-websocket-url="WEBSOCKET"
data-font-size="FONT_SIZE"></div></body></html>
"""


def build_parser() -> argparse.ArgumentParser:
    """The options of `ptacl-app web`."""
    parser = argparse.ArgumentParser(
        prog="ptacl-app web",
        description="Show a cohort in a browser on this machine. "
        "From another machine: ssh -L 8750:127.0.0.1:8750 HOST, then open the address printed.",
        epilog=RESEARCH_USE_SENTENCE,
    )
    parser.add_argument("cohort", nargs="?", type=Path, default=Path(), help="cohort directory")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--privacy", action="store_true", help="random names instead of ids")
    parser.add_argument("--theme", metavar="NAME")
    parser.add_argument(
        "--i-have-a-proxy",
        action="store_true",
        help="listen on another address than loopback: a proxy with TLS and login stands before it",
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Serve until interrupted; returns the exit status."""
    options = build_parser().parse_args(list(arguments))
    try:
        return _serve(options)
    except PtaclError as error:
        print(f"ptacl-app web: {safe(error, max_length=600)}", file=sys.stderr)  # noqa: T201
        return error.exit_code


def _serve(options: argparse.Namespace) -> int:
    from ptacl_app.data.cohort_check import check_cohort

    check_host(options.host, has_proxy=options.i_have_a_proxy)
    cohort = check_cohort(options.cohort)
    try:
        from aiohttp import web as aiohttp_web
    except ImportError:
        raise ConfigError(
            "the browser needs two more packages; install them with `pip install 'ptacl[web]'`"
        ) from None
    token = secrets.token_urlsafe(32)
    guard = SessionGuard(token, host=options.host, port=options.port)
    command = build_command(cohort, theme=options.theme, is_private=options.privacy)
    print(  # noqa: T201
        f"open  {guard.origin}/?token={token}\n"
        "Whoever has this address sees the cohort. Ctrl+C ends it.",
        file=sys.stderr,
        flush=True,
    )
    aiohttp_web.run_app(
        build_server(guard, command),
        host=options.host,
        port=options.port,
        print=lambda *_: None,
        access_log=None,
    )
    return 0


def check_host(host: str, *, has_proxy: bool) -> None:
    """Refuse to listen beyond this machine. Raises ConfigError."""
    if host not in LOOPBACK and not has_proxy:
        raise ConfigError(
            f"--host {host}: expected 127.0.0.1; the connection is not encrypted and the data "
            "are patients'. Use `ssh -L`, or a proxy with TLS and login and --i-have-a-proxy"
        )


def build_command(cohort: Path, *, theme: str | None, is_private: bool) -> str:
    """The shell command that each session runs; no file of the current folder is imported."""
    root = str(Path(__file__).resolve().parents[1])
    words = [sys.executable, "-P", "-c", _BOOTSTRAP, root, str(cohort)]
    if theme is not None:
        words += ["--theme", theme]
    if is_private:
        words.append("--privacy")
    return "exec " + shlex.join(words)


class SessionGuard:
    """Says which requests may pass."""

    def __init__(self, token: str, *, host: str, port: int) -> None:
        self._token = token
        self._cookie = secrets.token_urlsafe(32)
        shown = f"[{host}]" if ":" in host else host
        self.authority = f"{shown}:{port}"
        self.origin = f"http://{self.authority}"
        self.num_sessions = 0

    @property
    def cookie(self) -> str:
        """What the browser keeps."""
        return self._cookie

    def accepts_token(self, given: str) -> bool:
        """True for the secret of the address."""
        return hmac.compare_digest(given.encode(), self._token.encode())

    def accepts_request(self, host: str, cookie: str) -> bool:
        """True for our own host name and cookie."""
        return host == self.authority and hmac.compare_digest(
            cookie.encode(), self._cookie.encode()
        )

    def accepts_socket(self, host: str, cookie: str, origin: str) -> bool:
        """True for a socket that our own page opens, while there are not too many."""
        return (
            self.accepts_request(host, cookie)
            and origin == self.origin
            and self.num_sessions < MAX_SESSIONS
        )


def build_server(guard: SessionGuard, command: str) -> "aiohttp_web.Application":
    """The web application: page, socket, downloads and static files, all behind `guard`."""
    from aiohttp import web as aiohttp_web
    from textual_serve.app_service import AppService
    from textual_serve.server import Server, to_int

    endings: set[asyncio.Future[None]] = set()

    def forget(ending: asyncio.Future[None]) -> None:
        endings.discard(ending)
        guard.num_sessions -= 1

    async def wait_for_endings(_: aiohttp_web.Application) -> None:
        if endings:
            await asyncio.wait(endings)

    class GuardedServer(Server):
        async def handle_page(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
            given = request.query.get("token", "")
            if given and request.host == guard.authority and guard.accepts_token(given):
                answer = aiohttp_web.Response(status=303, headers={"Location": "/"})
                answer.set_cookie(COOKIE, guard.cookie, httponly=True, samesite="Strict", path="/")
                return answer
            self.check(request)
            page = _PAGE.replace("WEBSOCKET", f"ws://{guard.authority}/ws")
            return aiohttp_web.Response(
                text=page.replace("FONT_SIZE", "14"), content_type="text/html"
            )

        async def handle_websocket(
            self, request: aiohttp_web.Request
        ) -> aiohttp_web.WebSocketResponse:
            origin = request.headers.get("Origin", "")
            cookie = request.cookies.get(COOKIE, "")
            if not guard.accepts_socket(request.host, cookie, origin):
                raise aiohttp_web.HTTPForbidden(text="not from the page of this app")
            socket = aiohttp_web.WebSocketResponse(heartbeat=HEARTBEAT_S)
            await socket.prepare(request)

            async def close() -> None:
                await socket.close()

            service = AppService(
                self.command,
                write_bytes=socket.send_bytes,
                write_str=socket.send_str,
                close=close,
                download_manager=self.download_manager,
            )
            guard.num_sessions += 1
            try:
                await service.start(
                    to_int(request.query.get("width", ""), 120),
                    to_int(request.query.get("height", ""), 36),
                )
                await self._process_messages(socket, service)
            finally:
                # a task of its own: this handler is cancelled when the browser goes
                ending = asyncio.ensure_future(end_service(service))
                endings.add(ending)
                ending.add_done_callback(forget)
            return socket

        async def handle_download(self, request: aiohttp_web.Request) -> aiohttp_web.StreamResponse:
            self.check(request)
            return await super().handle_download(request)

        def check(self, request: aiohttp_web.Request) -> None:
            if not guard.accepts_request(request.host, request.cookies.get(COOKIE, "")):
                raise aiohttp_web.HTTPForbidden(
                    text="open the whole address that ptacl-app web printed"
                )

    server = GuardedServer(command, public_url=guard.origin, title="PTACL")

    @aiohttp_web.middleware
    async def add_headers(request, handler):
        answer = await handler(request)
        if not answer.prepared:
            answer.headers.update(_build_headers(guard))
        return answer

    application = aiohttp_web.Application(middlewares=[add_headers])
    application.on_cleanup.append(wait_for_endings)
    application.add_routes(
        [
            aiohttp_web.get("/", server.handle_page),
            aiohttp_web.get("/ws", server.handle_websocket),
            aiohttp_web.get("/download/{key}", server.handle_download),
            aiohttp_web.static("/static", server.statics_path, show_index=False),
        ]
    )
    return application


async def end_service(service: "AppService") -> None:
    """End the app of one browser and wait for it: a closed page leaves no process behind.

    textual-serve 1.1 asks the app to quit but neither waits for the process nor ends one that
    does not answer; the process is a private field of it.
    """
    process = service._process
    if process is not None:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), END_DEADLINE_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        if process.stdin is not None:
            process.stdin.close()
    await service.stop()


def _build_headers(guard: SessionGuard) -> dict[str, str]:
    return {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
        "style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; "
        f"connect-src ws://{guard.authority}; frame-ancestors 'none'; base-uri 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
