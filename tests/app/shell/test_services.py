"""Screens see a protocol: the app offers all of it, and no screen names the app."""

import inspect
import re
from pathlib import Path

import ptacl_app
from ptacl_app.shell.services import Services


def test_the_app_offers_every_service(make_app):
    app = make_app()
    members = [name for name in vars(Services) if not name.startswith("_")]
    members += list(Services.__annotations__)
    assert {"reader", "patient", "names", "open_patient", "notify"} <= set(members)
    for name in members:
        assert hasattr(app, name), name
        asked = inspect.getattr_static(Services, name, None)
        if inspect.isfunction(asked):
            ours = inspect.signature(getattr(app, name)).parameters
            for parameter in list(inspect.signature(asked).parameters)[1:]:
                takes_any = any(
                    parameter.kind is parameter.VAR_POSITIONAL for parameter in ours.values()
                )
                assert parameter in ours or takes_any, f"{name}({parameter})"


def test_no_screen_and_no_widget_knows_the_app():
    root = Path(ptacl_app.__file__).parent
    for folder in ("screens", "widgets", "shell", "data", "output", "drawing", "terminal", "text"):
        for path in (root / folder).glob("*.py"):
            text = path.read_text()
            assert not re.search(r"\bPtaclApp\b|ptacl_app\.app\b", text), path.name
            assert "type: ignore[return-value]" not in text, path.name
