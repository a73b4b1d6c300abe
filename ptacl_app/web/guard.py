"""Who may come in: a secret in the address, then a cookie, our host name and our origin."""

import hmac
import secrets

COOKIE = "ptacl_session"
MAX_SESSIONS = 4


class SessionGuard:
    """Says which requests may pass."""

    def __init__(
        self, token: str, *, host: str, port: int, public: tuple[str, str] | None = None
    ) -> None:
        self._token = token
        self._cookie = secrets.token_urlsafe(32)
        self._scheme, self.authority = public or ("http", _write_authority(host, port))
        self.origin = f"{self._scheme}://{self.authority}"
        self.is_encrypted = self._scheme == "https"
        self.num_sessions = 0

    def listen_on(self, host: str, port: int) -> None:
        """The address, where it is known only once the server listens."""
        self.authority = _write_authority(host, port)
        self.origin = f"{self._scheme}://{self.authority}"

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

    def accepts_page(self, host: str, cookie: str, origin: str) -> bool:
        """True for a socket that our own page opens."""
        return self.accepts_request(host, cookie) and origin == self.origin

    def accepts_socket(self, host: str, cookie: str, origin: str) -> bool:
        """True for a socket that our own page opens, while not too many apps run."""
        return self.accepts_page(host, cookie, origin) and self.num_sessions < MAX_SESSIONS


def _write_authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
