"""The web application of `ptacl-app web`: page, socket, downloads, static files.

textual-serve has no login and takes any origin. Here the address carries a secret that is
exchanged once for a cookie; every request needs the cookie and the right `Host`, the socket
also the exact `Origin`; nothing is fetched from elsewhere; at most a few apps run.
"""

import secrets
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING

from ptacl_app.text.formatting import safe
from ptacl_app.web.guard import COOKIE, MAX_SESSIONS, SessionGuard
from ptacl_app.web.page_messages import MAX_MESSAGE_BYTES, read_query
from ptacl_app.web.sessions import GRACE_S, BrowserApp, BrowserApps, is_app_name
from ptacl_core.errors import ConfigError

if TYPE_CHECKING:
    from aiohttp import web as aiohttp_web
    from aiohttp.typedefs import Handler
    from textual_serve.download_manager import DownloadManager

HEARTBEAT_S = 15.0
FONTS = ("ptacl-mono-regular.woff2", "ptacl-mono-bold.woff2")
SCRIPTS = ("page.js", "pictures.js", "pointer.js")

WINDOW_SCRIPT = '<script src="/window.js"></script>'
START_PAGE = "/start"
"""Where a page goes while no cohort is open; only `ptacl-app desktop` has it."""


def build_server(
    guard: SessionGuard,
    command: Callable[[], str | None],
    *,
    extend: "Callable[[aiohttp_web.Application, DownloadManager], None] | None" = None,
) -> "aiohttp_web.Application":
    """The web application: all behind `guard`, each tab with an app started by `command`.

    While `command` gives None there is no cohort, and pages go to `START_PAGE`. A window adds its
    own routes by `extend`, and its script to the page.
    """
    from aiohttp import web as aiohttp_web
    from textual_serve.server import Server

    apps = BrowserApps(count=lambda number: setattr(guard, "num_sessions", number))

    async def end_apps(_: aiohttp_web.Application) -> None:
        await apps.end_all()

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
            if command() is None:
                return aiohttp_web.Response(status=303, headers={"Location": START_PAGE})
            page = _read("page.html").replace("WEBSOCKET", f"{guard.socket_origin}/ws")
            if extend is not None:
                page = page.replace("</head>", f"{WINDOW_SCRIPT}</head>")
            return aiohttp_web.Response(text=page, content_type="text/html")

        async def handle_script(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
            self.check(request)
            name = request.path.removeprefix("/")
            return aiohttp_web.Response(text=_read(name), content_type="text/javascript")

        async def handle_font(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
            self.check(request)
            name = request.path.removeprefix("/fonts/")
            font = files("ptacl_app.web").joinpath("fonts", name).read_bytes()
            return aiohttp_web.Response(body=font, content_type="font/woff2")

        async def handle_state(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
            """Whether the app of a tab still runs, for a page that lost its connection."""
            self.check(request)
            is_running = apps.find(request.match_info["name"]) is not None
            return aiohttp_web.json_response({"state": "running" if is_running else "ended"})

        async def handle_files(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
            """Files dropped on the page of a tab: its app opens them."""
            self.check(request)
            app = apps.find(request.match_info["name"])
            if request.headers.get("Origin", "") != guard.origin or app is None:
                raise aiohttp_web.HTTPForbidden(text="not from the page of this app")
            if not request.content_type.startswith("multipart/"):
                raise aiohttp_web.HTTPBadRequest(text="expected files")
            try:
                path = await app.dropped.save(await request.multipart())
            except (ConfigError, OSError, ValueError) as error:
                raise aiohttp_web.HTTPBadRequest(text=safe(error, max_length=300)) from None
            await app.paste(str(path))
            return aiohttp_web.Response(status=204)

        async def handle_websocket(
            self, request: aiohttp_web.Request
        ) -> aiohttp_web.WebSocketResponse:
            given = request.match_info.get("name", "")
            app = apps.find(given)
            asked = (
                request.host,
                request.cookies.get(COOKIE, ""),
                request.headers.get("Origin", ""),
            )
            if app is None and guard.num_sessions >= MAX_SESSIONS and guard.accepts_page(*asked):
                await apps.make_room()
            is_let_in = guard.accepts_page if app is not None else guard.accepts_socket
            starts = command()
            if (
                not is_let_in(*asked)
                or (given and not is_app_name(given))
                or (app is None and starts is None)
            ):
                raise aiohttp_web.HTTPForbidden(text="not from the page of this app")
            try:
                size = read_query(request.query)
            except ConfigError as error:
                raise aiohttp_web.HTTPBadRequest(text=str(error)) from None
            name = given or secrets.token_hex(16)
            channel = aiohttp_web.WebSocketResponse(
                heartbeat=HEARTBEAT_S, max_msg_size=MAX_MESSAGE_BYTES
            )
            await channel.prepare(request)
            try:
                if app is not None:
                    apps.keep(name)
                    await app.show_again(channel, size)
                else:
                    assert starts is not None
                    app = BrowserApp(starts, self.download_manager)
                    apps.add(name, app)
                    await app.start(channel, size)
                await app.listen(channel)
            finally:
                if app is not None and app.leave(channel):
                    apps.release(name, grace_s=GRACE_S if given else 0.0)
            return channel

        async def handle_download(self, request: aiohttp_web.Request) -> aiohttp_web.StreamResponse:
            self.check(request)
            return await super().handle_download(request)

        def check(self, request: aiohttp_web.Request) -> None:
            if not guard.accepts_request(request.host, request.cookies.get(COOKIE, "")):
                raise aiohttp_web.HTTPForbidden(
                    text="open the whole address that ptacl-app web printed"
                )

    server = GuardedServer("", public_url=guard.origin, title="PTACL")

    @aiohttp_web.middleware
    async def add_headers(
        request: aiohttp_web.Request, handler: "Handler"
    ) -> aiohttp_web.StreamResponse:
        answer = await handler(request)
        if not answer.prepared:
            for name, value in _build_headers(guard).items():
                answer.headers.setdefault(name, value)
        return answer

    application = aiohttp_web.Application(middlewares=[add_headers])
    application.on_cleanup.append(end_apps)
    application.add_routes(
        [
            aiohttp_web.get("/", server.handle_page),
            *(aiohttp_web.get(f"/{name}", server.handle_script) for name in SCRIPTS),
            *(aiohttp_web.get(f"/fonts/{name}", server.handle_font) for name in FONTS),
            aiohttp_web.get("/apps/{name}", server.handle_state),
            aiohttp_web.post("/apps/{name}/files", server.handle_files),
            aiohttp_web.get("/ws", server.handle_websocket),
            aiohttp_web.get("/ws/{name}", server.handle_websocket),
            aiohttp_web.get("/download/{key}", server.handle_download),
            aiohttp_web.static("/static", server.statics_path, show_index=False),
        ]
    )
    if extend is not None:
        extend(application, server.download_manager)
    return application


def _read(name: str) -> str:
    """A file of the page that comes with this package."""
    return files("ptacl_app.web").joinpath(name).read_text(encoding="utf-8")


def _build_headers(guard: SessionGuard) -> dict[str, str]:
    return {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
        "style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; "
        f"connect-src 'self' {guard.socket_origin}; frame-ancestors 'none'; base-uri 'none'",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
