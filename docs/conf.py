"""The documentation as a site: `python -m sphinx -W -b html docs build/docs`."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from generate import write_generated_pages

from ptacl_core import __version__

project = "PTACL"
author = "The PTACL authors"
copyright = "2026, The PTACL authors"
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"PTACL {release}"
html_static_path: list[str] = []
exclude_patterns = ["build", "examples/**/__pycache__"]
suppress_warnings = ["myst.header"]  # the reference pages keep the section numbers that code cites

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_use_rtype = False
toc_object_entries = False


def setup(app) -> None:
    """Sphinx calls this: the generated pages are written before the sources are read."""
    app.connect("builder-inited", lambda _app: write_generated_pages(HERE / "generated"))
