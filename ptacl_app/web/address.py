"""Where the page is: an address of this machine, a free port, the address behind a proxy."""

import errno
import socket
from urllib.parse import urlsplit

from ptacl_app.text.formatting import safe
from ptacl_core.errors import ConfigError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


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
