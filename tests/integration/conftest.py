"""A small cohort behind `ptacl-app web`'s own server, for a real browser."""

import pytest

from tests.app.conftest import build_cohort
from tests.app.web.serving import serve_cohort

FIRST = b"RESEARCH USE ONLY"


@pytest.fixture
async def site(tmp_path, monkeypatch):
    for variable in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    cohort = build_cohort(tmp_path / "cohort", num_patients=24)
    async with serve_cohort(cohort) as guard:
        yield guard


async def open_page(browser, site):
    tab = await browser.open(f"{site.origin}/?token=secret-token")
    await tab.wait_for(FIRST)
    return tab
