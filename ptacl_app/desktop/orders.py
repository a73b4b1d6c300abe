"""What pages and second starts send to the window's site: read within bounds, refused in a line."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web as aiohttp_web

from ptacl_app.desktop.wishes import Wish, understand
from ptacl_app.text.formatting import safe
from ptacl_core.errors import ConfigError, PtaclError
from ptacl_core.json_values import JsonObject

HEADER_SUFFIX = ".hea"


@contextmanager
def tell_page() -> Iterator[None]:
    """What cannot be opened or saved is one line on the page: HTTPBadRequest."""
    try:
        yield
    except (PtaclError, OSError) as error:
        raise aiohttp_web.HTTPBadRequest(text=safe(error, max_length=400)) from None


async def read_order(request: aiohttp_web.Request) -> JsonObject:
    """The object that was sent. Raises HTTPBadRequest, or HTTPRequestEntityTooLarge past 1 MiB."""
    try:
        order = json.loads(await request.text())
    except (ValueError, LookupError, RecursionError):
        order = None
    if not isinstance(order, dict):
        raise aiohttp_web.HTTPBadRequest(text="expected an order as JSON")
    return order


def read_wish(order: JsonObject) -> Wish:
    """What a second start wants to open. Raises ConfigError, CohortError."""
    paths, model = order.get("paths", []), order.get("model")
    texts = [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else None
    if texts is None or texts != paths or not (model is None or isinstance(model, str)):
        raise ConfigError('expected {"paths": [PATH...], "model": PATH or null}')
    return understand([Path(path) for path in texts], model=None if model is None else Path(model))


def understand_drop(saved: list[Path]) -> Wish:
    """What files of one drop are: a WFDB header stands for the signals beside it.

    Raises ConfigError.
    """
    headers = {path.stem for path in saved if path.suffix.lower() == HEADER_SUFFIX}
    return understand(
        [path for path in saved if path.suffix.lower() == HEADER_SUFFIX or path.stem not in headers]
    )
