"""`ptacl-app web`'s own server, without a browser."""

import pytest

from tests.app.web.serving import serve_cohort


@pytest.fixture
async def site(cohort_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    async with serve_cohort(cohort_dir) as guard:
        yield guard
