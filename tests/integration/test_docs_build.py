"""The documentation as a site: no warning, every page reached, every public function described."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_site_builds_without_a_warning(tmp_path):
    site = tmp_path / "site"
    finished = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html",
         "-d", str(tmp_path / "doctrees"), str(ROOT / "docs"), str(site)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert finished.returncode == 0, finished.stderr
    pages = {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")}
    sources = {
        path.relative_to(ROOT / "docs").with_suffix("").as_posix()
        for path in (ROOT / "docs").rglob("*.md")
    }
    assert sources <= pages
    settings = (site / "generated" / "settings.html").read_text(encoding="utf-8")
    assert "align.temperature_global" in settings
    reference = (site / "python_api.html").read_text(encoding="utf-8")
    assert re.search(r"ptacl_core\.losses\.temporal_alignment_loss", reference)


def test_a_dead_link_fails_the_build(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    configuration = (ROOT / "docs" / "conf.py").read_text(encoding="utf-8")
    head = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
    (docs / "conf.py").write_text(
        head + configuration.replace("HERE.parent", f"Path({str(ROOT)!r})")
    )
    (docs / "generate.py").write_text("def write_generated_pages(folder):\n    pass\n")
    (docs / "index.md").write_text("# Index\n\n[nowhere](no_such_page.md)\n")

    finished = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", str(docs), str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert finished.returncode != 0
    assert "no_such_page" in finished.stderr
