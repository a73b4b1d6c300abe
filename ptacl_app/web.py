"""`ptacl-app web COHORT`: the same app in a browser, on this machine only.

textual-serve has no login and takes any origin. Here the address carries a secret that is
exchanged once for a cookie; every request needs the cookie and the right `Host`, the socket
also the exact `Origin`; nothing is fetched from elsewhere; at most a few sessions run.
"""

import asyncio
import errno
import hmac
import secrets
import shlex
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ptacl_app.text.formatting import safe
from ptacl_core.errors import ConfigError

if TYPE_CHECKING:
    from aiohttp import web as aiohttp_web
    from textual_serve.app_service import AppService

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
        build_server(guard, command),
        host=host,
        port=port,
        print=lambda *_: None,
        access_log=None,
    )


def check_host(host: str, *, has_proxy: bool) -> None:
    """Refuse to listen beyond this machine. Raises ConfigError."""
    if host not in LOOPBACK and not has_proxy:
        raise ConfigError(
            f"--host {host}: expected 127.0.0.1; the connection is not encrypted and the data "
            "are patients'. Use `ssh -L`, or a proxy with TLS and login and --i-have-a-proxy"
        )


def check_port(host: str, port: int) -> None:
    """Refuse a port that cannot be listened on; names one that is free. Raises ConfigError."""
    if not 1 <= port <= 65535:
        raise ConfigError(f"--port {port}: expected a number from 1 to 65535, such as 8750")
    fault = _try_to_bind(host, port)
    if fault is None:
        return
    if fault.errno != errno.EADDRINUSE:
        raise ConfigError(f"--host {host} --port {port}: cannot be used ({fault.strerror})")
    beside = range(port + 1, min(port + 50, 65536))
    free = next((candidate for candidate in beside if _try_to_bind(host, candidate) is None), None)
    hint = "" if free is None else f"; {free} is free: --port {free}"
    raise ConfigError(f"--port {port}: another program listens there{hint}")


def _try_to_bind(host: str, port: int) -> OSError | None:
    """Why nothing can listen there; None when it can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        return error
    return None


def parse_public_url(text: str) -> tuple[str, str]:
    """Scheme and authority (`name[:port]`) of the address behind a proxy. Raises ConfigError."""
    try:
        parts = urlsplit(text)
        is_plain = parts.path in ("", "/") and not parts.query and not parts.username
        _ = parts.port
    except ValueError:
        is_plain, parts = False, urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
        raise ConfigError(
            f"--public-url: expected https://name or https://name:port without a path, got "
            f"{safe(text, max_length=80)!r}"
        )
    return parts.scheme, parts.netloc.lower()


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

    def __init__(
        self, token: str, *, host: str, port: int, public: tuple[str, str] | None = None
    ) -> None:
        self._token = token
        self._cookie = secrets.token_urlsafe(32)
        shown = f"[{host}]" if ":" in host else host
        scheme, self.authority = public or ("http", f"{shown}:{port}")
        self.origin = f"{scheme}://{self.authority}"
        self.is_encrypted = scheme == "https"
        self.num_sessions = 0

    @property
    def socket_origin(self) -> str:
        """Where the page opens its web socket."""
        return f"{'wss' if self.is_encrypted else 'ws'}://{self.authority}"

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
                answer.set_cookie(
                    COOKIE,
                    guard.cookie,
                    httponly=True,
                    samesite="Strict",
                    secure=guard.is_encrypted,
                    path="/",
                )
                return answer
            self.check(request)
            page = _PAGE.replace("WEBSOCKET", f"{guard.socket_origin}/ws")
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
            channel = aiohttp_web.WebSocketResponse(heartbeat=HEARTBEAT_S)
            await channel.prepare(request)

            async def close() -> None:
                await channel.close()

            service = AppService(
                self.command,
                write_bytes=channel.send_bytes,
                write_str=channel.send_str,
                close=close,
                download_manager=self.download_manager,
            )
            guard.num_sessions += 1
            try:
                await service.start(
                    to_int(request.query.get("width", ""), 120),
                    to_int(request.query.get("height", ""), 36),
                )
                await self._process_messages(channel, service)
            finally:
                # a task of its own: this handler is cancelled when the browser goes
                ending = asyncio.ensure_future(end_service(service))
                endings.add(ending)
                ending.add_done_callback(forget)
            return channel

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
        f"connect-src {guard.socket_origin}; frame-ancestors 'none'; base-uri 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
