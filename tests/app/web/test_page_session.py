"""An app in a page that shows pixels, through the server's own socket, without a browser."""

import asyncio

from aiohttp import ClientSession

from ptacl_app.web.guard import COOKIE
from tests.app.terminal.reference_terminal import ReferenceTerminal

ADDRESS = "ws://{}/ws/{}?width=146&height=40&cell_width={}&cell_height={}"


class Page:
    """The other end of the socket: it draws into a reference terminal, and says so or not."""

    def __init__(self, socket, *, cell_px=(8, 16)):
        self.socket = socket
        self.terminal = ReferenceTerminal(146, 40, cell_px)
        self.text = ""

    async def read(self, timeout_s=40.0):
        """One message; False when none comes in time."""
        try:
            message = await self.socket.receive(timeout=timeout_s)
        except TimeoutError:
            return False
        text = message.data.decode() if isinstance(message.data, bytes) else ""
        self.text += text
        self.terminal.feed(text.replace("\x1b[?2026$p", ""))
        return True

    async def read_until(self, is_there):
        async with asyncio.timeout(40):
            while not is_there():
                await self.read()

    def find(self, label):
        """Where the picture of this name is seen."""
        return [
            pane["at"]
            for pane in self.terminal.panes.values()
            if label in pane["label"] and pane["picture"] in self.terminal.images and pane["at"]
        ]

    async def say(self, *message):
        await self.socket.send_json(list(message))


async def test_pictures_come_and_come_again_and_wait_for_a_page_that_is_slow(site):
    headers = {"Origin": site.origin, "Cookie": f"{COOKIE}={site.cookie}"}
    async with ClientSession(headers=headers) as session:
        address = ADDRESS.format(site.authority, "a" * 32, 8, 16)
        async with session.ws_connect(address, max_msg_size=2**26) as socket:
            page = Page(socket)
            await page.read_until(lambda: any("p0000" in line for line in page.terminal.text()))
            await page.say("stdin", "\r")
            await page.read_until(lambda: page.find("ECG on paper") and page.find("cine"))
            # the heart beats by itself: but nobody says that it is seen, so it waits
            while await page.read(timeout_s=1.0):
                pass
            num_written = page.terminal.last_write
            page.text = ""
            await page.say("drawn", num_written)
            await page.read_until(lambda: page.text.count('"do":"show"') >= 2)
            await page.say("stdin", " ")
            while await page.read(timeout_s=1.0):
                pass
            (before,) = page.find("ECG on paper")
            image = max(page.terminal.images.values(), key=lambda picture: picture.pixels.size)
        address = ADDRESS.format(site.authority, "a" * 32, 12, 25)
        async with session.ws_connect(address, max_msg_size=2**26) as socket:
            again = Page(socket, cell_px=(12, 25))
            await again.read_until(lambda: again.find("ECG on paper") and again.find("cine"))
            assert "\x1b[?1016h" in again.text
            assert again.find("ECG on paper") == [before]
            larger = max(again.terminal.images.values(), key=lambda picture: picture.pixels.size)
            assert larger.cells == image.cells
            assert larger.pixels.shape[1] * 8 == image.pixels.shape[1] * 12
            assert larger.pixels.shape[0] * 16 == image.pixels.shape[0] * 25
            assert site.num_sessions == 1
