"""The page in a real browser: keys without a click, reloads that find their app, two tabs."""

import asyncio
import json
import statistics
import time

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
    async with run_chromium(tmp_path / "profile") as browser:
        tab = await open_page(browser, site)
        await tab.press("?")
        await tab.wait_for(HELP)
        times_s = []
        for _ in range(NUM_RELOADS):
            tab.forget()
            started_s = time.monotonic()
            await tab.call("Page.reload")
            await tab.wait_for(HELP)  # the dialog that was open is open again
            times_s.append(time.monotonic() - started_s)
            assert site.num_sessions == 1
        await tab.wait_until("document.activeElement.className === 'xterm-helper-textarea'")
        print(  # noqa: T201
            f"reload to paint: median {statistics.median(times_s):.2f} s, "
            f"longest {max(times_s):.2f} s"
        )
        await tab.close()


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
