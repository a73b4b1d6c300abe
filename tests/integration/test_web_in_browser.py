"""The page in a real browser: keys without a click, reloads that find their app, two tabs."""

import asyncio
import json
import statistics
import time

import psutil

from tests.integration.chromium import run_chromium
from tests.integration.conftest import open_page

HELP = b"Keys"
NUM_RELOADS = 20


async def test_keys_work_without_a_click_and_tabs_do_not_meet(site, tmp_path):
    async with run_chromium(tmp_path / "profile") as browser:
        first = await open_page(browser, site)
        assert await first.evaluate("document.activeElement.className") == "xterm-helper-textarea"
        label = await first.evaluate(
            "document.querySelector('[role=application]').getAttribute('aria-label')"
        )
        assert "Research use only" in label
        second = await open_page(browser, site)
        for tab in (first, second):
            tab.forget()
        await second.press("?")
        await second.wait_for(HELP)
        assert ["stdin", "?"] in [json.loads(text) for text in second.sent]
        assert first.sent == []
        assert HELP not in first.received
        assert site.num_sessions == 2


async def test_reloads_find_their_app_and_leave_nothing(site, tmp_path):
    """The patient's pixels are painted again, by the same process, and neither side grows."""
    async with run_chromium(tmp_path / "profile") as browser:
        tab = await open_page(browser, site)
        await tab.wait_for(b"p0000")
        await tab.press("Enter")
        await tab.wait_for(b"ECG on paper")
        times_s, sizes = [], []
        for _ in range(NUM_RELOADS):
            tab.forget()
            started_s = time.monotonic()
            await tab.call("Page.reload")
            await tab.wait_for(b"ECG on paper")
            await tab.wait_until("document.querySelectorAll('[role=img]').length > 1")
            times_s.append(time.monotonic() - started_s)
            assert site.num_sessions == 1
            sizes.append(await measure(tab))
        await tab.wait_until("document.activeElement.className === 'xterm-helper-textarea'")
        print(  # noqa: T201
            f"reload to paint: median {statistics.median(times_s):.2f} s, "
            f"longest {max(times_s):.2f} s; app {sizes[4][0]} and {sizes[-1][0]} MiB, "
            f"page {sizes[4][1]} and {sizes[-1][1]} MiB after 5 and {NUM_RELOADS}"
        )
        assert sizes[-1][0] < sizes[4][0] + 40
        assert sizes[-1][1] < sizes[4][1] + 40
        await tab.close()


async def measure(tab):
    """Memory in MiB of the one app that runs, and of the page's scripts."""
    (app,) = [
        process
        for process in psutil.Process().children(recursive=True)
        if "--remote-debugging-port=0" not in process.cmdline()
        and any("ptacl_app.__main__" in word for word in process.cmdline())
    ]
    page = await tab.evaluate("performance.memory.usedJSHeapSize")
    return app.memory_info().rss // 2**20, page // 2**20


async def test_letters_are_the_packages_own_and_fit_the_window(site, tmp_path):
    async with run_chromium(tmp_path / "profile") as browser:
        tab = await open_page(browser, site)
        loaded = "[...document.fonts].filter(each => each.status === 'loaded').length"
        assert await tab.evaluate(loaded) == 2
        for width, height, least in ((1280, 720, 146), (1920, 1080, 146), (800, 600, 100)):
            tab.forget()
            await tab.call(
                "Emulation.setDeviceMetricsOverride",
                width=width, height=height, deviceScaleFactor=1, mobile=False,
                screenWidth=width, screenHeight=height,
            )  # fmt: skip
            async with asyncio.timeout(30):
                while not any(text.startswith('["resize"') for text in tab.sent):
                    await asyncio.sleep(0.05)
            size = json.loads(
                next(message for message in tab.sent if message.startswith('["resize"'))
            )[1]
            assert size["width"] >= least
            across, down = (size[side] * size[f"cell_{side}"] for side in ("width", "height"))
            assert width - size["cell_width"] < across <= width
            assert height - size["cell_height"] < down <= height


async def test_what_is_copied_is_in_the_clipboard_and_what_is_pasted_in_the_app(site, tmp_path):
    async with run_chromium(tmp_path / "profile") as browser:
        tab = await open_page(browser, site)
        allowed = ["clipboardReadWrite"]
        await tab.call("Browser.grantPermissions", permissions=allowed)
        await tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
        await tab.wait_for(b"p0000")
        await tab.press("y")
        notice = (
            "document.getElementById('notice').textContent.startsWith('The browser did not let')"
        )
        await tab.wait_until(notice)
        allowed.append("clipboardSanitizedWrite")
        await tab.call("Browser.grantPermissions", permissions=allowed)
        await tab.press("y")
        await tab.wait_until("navigator.clipboard.readText().then(text => text.includes('p0000'))")
        await tab.evaluate("navigator.clipboard.writeText('p0007')")
        await tab.press("/")
        await tab.paste()
        pasted = "\x1b[200~p0007\x1b[201~"
        async with asyncio.timeout(30):
            while ["stdin", pasted] not in [json.loads(text) for text in tab.sent]:
                await asyncio.sleep(0.05)


async def test_a_lost_connection_is_said_and_comes_back(site, tmp_path):
    async with run_chromium(tmp_path / "profile") as browser:
        tab = await open_page(browser, site)
        await tab.press("?")
        await tab.wait_for(HELP)
        name = await tab.evaluate("sessionStorage.getItem('ptacl-app')")
        await tab.evaluate("document.body.classList.add('-closed')")  # as its socket's end does
        await tab.wait_until("document.getElementById('notice').textContent.includes('Trying')")
        tab.forget()
        await tab.wait_for(HELP)
        assert await tab.evaluate("sessionStorage.getItem('ptacl-app')") == name
        assert site.num_sessions == 1


async def test_an_app_that_was_left_says_so(site, tmp_path):
    async with run_chromium(tmp_path / "profile") as browser:
        tab = await open_page(browser, site)
        await tab.press("q")
        await tab.wait_until("document.body.classList.contains('-ended')")
        assert "has ended" in await tab.evaluate("document.getElementById('notice').textContent")
        async with asyncio.timeout(30):
            while site.num_sessions:
                await asyncio.sleep(0.05)


async def test_a_report_is_downloaded_and_equals_the_one_on_disk(site, tmp_path):
    async with run_chromium(tmp_path / "profile") as browser:
        tab = await open_page(browser, site)
        await tab.call(
            "Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "saved")
        )
        await tab.wait_for(b"p0000")  # the list is there: Enter opens its first patient
        await tab.press("Enter")
        await tab.wait_for(b"mm/mV")
        await tab.press("e")
        await tab.wait_for(b"report.html")
        await tab.press("Enter")
        exports = tmp_path / "cohort" / "exports"
        async with asyncio.timeout(90):  # the browser takes the name before it has the bytes
            while not any(
                file.stat().st_size for file in (tmp_path / "saved").glob("report-*.html")
            ):
                await asyncio.sleep(0.1)
        (written,) = exports.glob("report-*.html")
        (saved,) = (tmp_path / "saved").glob("report-*.html")
        async with asyncio.timeout(30):
            while saved.stat().st_size < written.stat().st_size:
                await asyncio.sleep(0.1)
        assert saved.name == written.name
        assert saved.read_bytes() == written.read_bytes()


async def test_an_ecg_dropped_on_the_page_is_read(site, tmp_path):
    drop = """(() => {
        const files = new DataTransfer();
        files.items.add(new File(["no ECG"], "dropped here.xml"));
        document.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true }));
    })()"""
    async with run_chromium(tmp_path / "profile") as browser:
        tab = await open_page(browser, site)
        tab.forget()
        await tab.evaluate(drop)
        await tab.wait_for(b"dropped_here.xml")
        await tab.wait_for(b"expected an ECG recording")
