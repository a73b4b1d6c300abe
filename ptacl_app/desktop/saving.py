"""What an app delivers, saved where the native dialog says: whole, or not at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from textual_serve.download_manager import Download, DownloadManager

from ptacl_app.desktop.wishes import check_target
from ptacl_app.web.dropped_files import clean_name
from ptacl_core.errors import ConfigError
from ptacl_core.safety.files.atomic import atomic_path

CHUNK_BYTES = 65_536
CHUNK_TIMEOUT_S = 30.0


async def save_delivery(
    downloads: DownloadManager, key: str, ask: Callable[[str], Awaitable[Path | None]]
) -> Path | None:
    """Save what an app offers under `key`; the path, or None when the dialog was closed.

    Raises ConfigError when nothing is offered, the app ends meanwhile, or the place is none to
    save to; OSError.
    """
    try:
        delivery = await downloads.get_download_metadata(key)
    except KeyError:
        raise ConfigError("expected a file that the app offers") from None
    chosen = await ask(clean_name(delivery.file_name))
    if chosen is None:
        return None
    target = check_target(chosen)
    try:
        with atomic_path(target) as temporary, temporary.open("wb") as stream:
            async for chunk in _iter_chunks(delivery):
                stream.write(chunk)
    finally:
        active = downloads._active_downloads  # pyright: ignore[reportPrivateUsage] - no way out
        active.pop(key, None)
    return target


async def _iter_chunks(delivery: Download) -> AsyncIterator[bytes]:
    """All chunks. textual-serve's own loop ends a file in silence where the app is slow."""
    wish: dict[str, str | int | bool | None] = {
        "type": "deliver_chunk_request",
        "key": delivery.delivery_key,
        "size": CHUNK_BYTES,
        "name": delivery.name,
    }
    while True:
        is_sent = await delivery.app_service.send_meta(wish)
        try:
            chunk = await asyncio.wait_for(delivery.incoming_chunks.get(), CHUNK_TIMEOUT_S)
        except TimeoutError:
            chunk = None
        if chunk is None or not is_sent:
            raise ConfigError("the app ended before the file was whole; nothing was saved")
        if not chunk:
            return
        yield chunk
