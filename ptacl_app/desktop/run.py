"""`ptacl-app desktop [COHORT]`: the guarded site on a free port, and a window that shows it."""

import asyncio
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from ptacl_app.desktop.instance import be_the_only_one, raise_first_window, tell_address
from ptacl_app.desktop.recent import WindowPlace, load_memory, save_memory
from ptacl_app.desktop.site import CohortChoice, add_window_pages
from ptacl_app.desktop.windows import Window, choose_window
from ptacl_app.web.guard import SessionGuard
from ptacl_core.errors import CohortLockedError, ConfigError

HOST = "127.0.0.1"
START_TIMEOUT_S = 30.0


def open_desktop(cohort: Path | None, *, theme: str | None, is_private: bool) -> None:
    """Show a window until it is closed; a second start raises the first one's.

    Raises ConfigError where no window can be opened, CohortError for a wrong folder.
    """
    if find_spec("textual_serve") is None:
        raise ConfigError(
            "the window needs more packages; install them with `pip install 'ptacl[desktop]'`"
        ) from None
    absolute = None if cohort is None else cohort.absolute()
    try:
        with be_the_only_one() as state:
            choice = CohortChoice(state, theme=theme, is_private=is_private)
            if absolute is not None:
                choice.open(absolute)
            _show(choice, choose_window(), state)
    except CohortLockedError:
        raise_first_window(absolute)


def _show(choice: CohortChoice, window: Window, state: Path) -> None:
    token = secrets.token_urlsafe(32)
    guard = SessionGuard(token, host=HOST, port=0)

    def keep_place(place: WindowPlace) -> None:
        save_memory(load_memory(state).model_copy(update={"place": place}), state)

    with _serve(guard, choice, window, state):
        window.show(f"{guard.origin}/?token={token}", load_memory(state).place, keep_place)


@contextmanager
def _serve(
    guard: SessionGuard, choice: CohortChoice, window: Window, state: Path
) -> Iterator[None]:
    """The site in a thread: the window's toolkit wants the main one. It ends with the block."""
    from aiohttp import web as aiohttp_web

    from ptacl_app.web.server import build_server

    loop = asyncio.new_event_loop()
    has_started, must_end = threading.Event(), asyncio.Event()
    faults: list[Exception] = []

    async def serve() -> None:
        application = build_server(guard, choice.command)
        secret = secrets.token_urlsafe(32)
        add_window_pages(application, guard, choice, secret, window.bring_to_front)
        runner = aiohttp_web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            await aiohttp_web.TCPSite(runner, HOST, 0).start()
            port = runner.addresses[0][1]
            guard.listen_on(HOST, port)
            tell_address(state, port, secret)
        except OSError as error:
            await runner.cleanup()
            faults.append(error)
            has_started.set()
            return
        has_started.set()
        await must_end.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="site")
    thread.start()
    try:
        has_started.wait(START_TIMEOUT_S)
        if faults:
            raise ConfigError(f"cannot listen on this machine: {faults[0]}")
        yield
    finally:
        loop.call_soon_threadsafe(must_end.set)
        thread.join()
        loop.close()
