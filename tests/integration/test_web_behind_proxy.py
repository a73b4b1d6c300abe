"""`ptacl-app web` behind a real nginx with TLS: the page, the socket, and what is refused."""

import asyncio
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, TCPConnector, WSServerHandshakeError

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from ptacl_app.__main__ import main; sys.exit(main(sys.argv[1:]))"
)
NAME = "ptacl.example.org"
CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{public} ssl;
        ssl_certificate {folder}/cert.pem;
        ssl_certificate_key {folder}/key.pem;
        location / {{
            proxy_pass http://127.0.0.1:{inner};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_read_timeout 1h;
        }}
    }}
}}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def make_certificate(folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         f"/CN={NAME}", "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
        check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def site(trained_cohort: Path, tmp_path: Path, monkeypatch) -> Iterator[tuple[str, int]]:
    """The app and nginx before it; the address that was printed, and nginx's port."""
    assert shutil.which("nginx"), "scripts/integration installs nginx-light"
    for variable in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    public, inner = free_port(), free_port()
    make_certificate(tmp_path)
    config = tmp_path / "nginx.conf"
    config.write_text(CONFIG.format(folder=tmp_path, public=public, inner=inner))
    app = subprocess.Popen(
        [sys.executable, "-P", "-c", SCRIPT, str(ROOT), "web", str(trained_cohort), "--host",
         "0.0.0.0", "--port", str(inner), "--i-have-a-proxy", "--public-url",
         f"https://{NAME}:{public}"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert app.stderr is not None
    nginx = subprocess.Popen(["nginx", "-c", str(config), "-p", str(tmp_path)])
    try:
        address = re.match(r"open  (\S+)", app.stderr.readline())
        assert address, "the app printed no address"
        wait_for_port(inner)
        wait_for_port(public)
        yield address[1], public
    finally:
        for process in (nginx, app):
            process.terminate()
            process.wait(timeout=30)
        app.stderr.close()


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port}")


@asynccontextmanager
async def open_session() -> AsyncIterator[ClientSession]:
    """A browser that trusts the certificate; the name leads to this machine.

    A session's end does not wait until its encrypted connections are closed; this one's does.
    """
    async with ClientSession(connector=TCPConnector(ssl=False)) as session:
        yield session
    await asyncio.sleep(0.5)


async def test_page_and_socket_through_tls(site):
    address, port = site
    token = address.partition("?token=")[2]
    local, own = f"https://127.0.0.1:{port}", {"Host": f"{NAME}:{port}"}
    assert address.startswith(f"https://{NAME}:{port}/")
    async with open_session() as session:
        async with session.get(
            f"{local}/?token={token}", headers=own, allow_redirects=False
        ) as answer:
            assert answer.status == 303
            cookie = answer.headers["Set-Cookie"]
            assert "Secure" in cookie
            assert "HttpOnly" in cookie
        own["Cookie"] = cookie.partition(";")[0]
        async with session.get(f"{local}/", headers=own) as answer:
            page = await answer.text()
            assert answer.status == 200
            assert f"wss://{NAME}:{port}/ws" in page
            assert (
                f"connect-src 'self' wss://{NAME}:{port}"
                in answer.headers["Content-Security-Policy"]
            )
        async with session.get(f"{local}/static/js/textual.js", headers=own) as answer:
            assert answer.status == 200
        own["Origin"] = f"https://{NAME}:{port}"
        async with session.ws_connect(f"{local}/ws?width=120&height=36", headers=own) as channel:
            seen = b""
            async with asyncio.timeout(90):
                while b"RESEARCH USE ONLY" not in seen:
                    message = await channel.receive()
                    seen += message.data if isinstance(message.data, bytes) else b""


async def test_other_names_origins_and_no_cookie_are_refused(site):
    address, port = site
    token = address.partition("?token=")[2]
    local, own = f"https://127.0.0.1:{port}", {"Host": f"{NAME}:{port}"}
    async with open_session() as session:
        for host in ("evil.example", f"127.0.0.1:{port}", NAME, f"{NAME}.evil.example:{port}"):
            headers = {"Host": host}
            async with session.get(f"{local}/?token={token}", headers=headers) as answer:
                assert answer.status == 403, host
        async with session.get(f"{local}/", headers=own) as answer:
            assert answer.status == 403
        async with session.get(
            f"{local}/?token={token}", headers=own, allow_redirects=False
        ) as answer:
            own["Cookie"] = answer.headers["Set-Cookie"].partition(";")[0]
        for origin in (f"http://{NAME}:{port}", f"https://{NAME}", "https://evil.example", "null"):
            with pytest.raises(WSServerHandshakeError) as caught:
                await session.ws_connect(f"{local}/ws", headers={**own, "Origin": origin})
            assert caught.value.status == 403, origin
