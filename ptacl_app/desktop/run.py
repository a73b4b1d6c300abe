"""`ptacl-app desktop [COHORT | FILES…]`: the guarded site on a free port, and a window of it."""

import asyncio
import secrets
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from ptacl_app.desktop.choice import CohortChoice
from ptacl_app.desktop.instance import be_the_only_one, raise_first_window, tell_address
from ptacl_app.desktop.recent import WindowPlace, load_memory, save_memory
from ptacl_app.desktop.window import Command, Kind, Window
from ptacl_app.desktop.windows import choose_window
from ptacl_app.desktop.wishes import understand
from ptacl_app.web.guard import SessionGuard
from ptacl_core.errors import CohortLockedError, ConfigError, PtaclError

HOST = "127.0.0.1"
START_TIMEOUT_S = 30.0


def open_desktop(
    paths: Sequence[Path], *, model: Path | None = None, theme: str | None, is_private: bool
) -> None:
    """Show a window until it is closed; a second start raises the first one's.

    `paths` are a cohort, ECG files or a packed model; nothing: a start page. Raises ConfigError
    where no window can be opened or something cannot be opened, CohortError for a wrong folder.
    """
    if find_spec("textual_serve") is None:
        raise ConfigError(
            "the window needs more packages; install them with `pip install 'ptacl[desktop]'`"
        ) from None
    wish = understand(paths, model=model)
    try:
        with be_the_only_one() as state:
            choice = CohortChoice(state, theme=theme, is_private=is_private)
            window = choose_window()
            try:
                choice.begin(wish)
                _show(choice, window, state)
            finally:
                choice.close()
    except CohortLockedError:
        raise_first_window(wish)


def _show(choice: CohortChoice, window: Window, state: Path) -> None:
    token = secrets.token_urlsafe(32)
    guard = SessionGuard(token, host=HOST, port=0)

    def keep_place(place: WindowPlace) -> None:
        save_memory(load_memory(state).model_copy(update={"place": place}), state)

    with _serve(guard, choice, window, state, keep_place), _closed_by_signals(window):
        window.show(
            f"{guard.origin}/?token={token}",
            load_memory(state).place,
            keep_place,
            build_menu(guard, choice, window),
        )


def build_menu(guard: SessionGuard, choice: CohortChoice, window: Window) -> list[Command]:
    """What the window's own menu offers, whatever page it shows."""

    def ask(kind: Kind) -> None:
        chosen = window.ask_to_open(kind)
        if not chosen:
            return
        number = choice.number
        try:
            choice.begin(understand(chosen))
        except (PtaclError, OSError) as error:
            choice.tell_fault(error)
        window.go_to(f"{guard.origin}/start?after={number}")

    return [
        Command("Start page", lambda: window.go_to(f"{guard.origin}/start")),
        Command("Open a cohort …", lambda: ask(Kind.COHORT)),
        Command("Open ECG files …", lambda: ask(Kind.ECG)),
        Command("Open a packed model …", lambda: ask(Kind.MODEL)),
        Command("Close", window.close),
    ]


@contextmanager
def _closed_by_signals(window: Window) -> Iterator[None]:
    """The end of a session or of a terminal closes the window as its button does."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    before = [(number, signal.signal(number, lambda *_: window.close())) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@contextmanager
def _serve(
    guard: SessionGuard,
    choice: CohortChoice,
    window: Window,
    state: Path,
    keep_place: Callable[[WindowPlace], None],
) -> Iterator[None]:
    """The site in a thread: the window's toolkit wants the main one. It ends with the block."""
    from aiohttp import web as aiohttp_web

    from ptacl_app.desktop.site import WindowSite
    from ptacl_app.web.server import build_server

    loop = asyncio.new_event_loop()
    has_started, must_end = threading.Event(), asyncio.Event()
    faults: list[Exception] = []

    async def serve() -> None:
        secret = secrets.token_urlsafe(32)
        site = WindowSite(guard, choice, window, secret=secret, keep_place=keep_place)
        application = build_server(guard, choice.command, extend=site.add_to)
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
