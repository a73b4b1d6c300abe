"""One window a user: a second start brings the first one to the front, and opens in it."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ptacl_app.desktop.wishes import Wish
from ptacl_core.cohort.erasure.app_state import get_state_dir
from ptacl_core.errors import ConfigError
from ptacl_core.safety.files.atomic import write_text
from ptacl_core.safety.files.lock import hold_lock

LOCK, ADDRESS = "desktop.lock", "desktop-window.json"
SECRET_HEADER = "X-PTACL-Window"  # noqa: S105 - the header's name
TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class FirstWindow:
    """The window that is open: where it listens, and the secret that it takes orders by."""

    port: int
    secret: str


@contextmanager
def be_the_only_one(folder: Path | None = None) -> Iterator[Path]:
    """Hold the lock while the block runs; the state folder. Raises CohortLockedError."""
    state = folder or get_state_dir()
    with hold_lock(state / LOCK, purpose="window of ptacl-app"):
        try:
            yield state
        finally:
            (state / ADDRESS).unlink(missing_ok=True)


def tell_address(state: Path, port: int, secret: str) -> None:
    """Write where this window listens, for later starts of the same user alone."""
    write_text(state / ADDRESS, json.dumps({"port": port, "secret": secret}))


def raise_first_window(wish: Wish, folder: Path | None = None) -> None:
    """Have the window that is open come to the front, and open `wish` there.

    Raises ConfigError when it does not answer, or does not take it.
    """
    path = (folder or get_state_dir()) / ADDRESS
    try:
        first = FirstWindow(**json.loads(path.read_text(encoding="utf-8")))
        request = urllib.request.Request(
            f"http://127.0.0.1:{int(first.port)}/raise",
            data=json.dumps(_write_order(wish)).encode(),
            headers={SECRET_HEADER: first.secret, "Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=TIMEOUT_S):
            return
    except urllib.error.HTTPError as error:
        raise ConfigError(error.read(1000).decode(errors="replace")) from None
    except (OSError, ValueError, TypeError):
        raise ConfigError(
            "a window of PTACL is open but does not answer; close it, then start again"
        ) from None


def _write_order(wish: Wish) -> dict[str, object]:
    paths = [*wish.files] if wish.cohort is None else [wish.cohort]
    return {
        "paths": [str(path) for path in paths],
        "model": None if wish.model is None else str(wish.model),
    }
