"""The command palette: every action of the app by name, themes, and patients by their id."""

from collections.abc import AsyncIterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from ptacl_app.shell.actions import Action, list_actions, show_key
from ptacl_app.shell.services import Services, as_services

MIN_ID_LENGTH = 2


class AppCommands(Provider):
    """Made from the one list of actions, so that nothing can be missing from it."""

    @property
    def _app(self) -> Services:
        return as_services(self.app)

    def _list(self) -> list[tuple[str, str, str]]:
        scopes = ("app", *getattr(self.screen, "scopes", ()))
        commands = [
            (_name(action), action.help, action.action)
            for action in list_actions(scopes)
            if action.id not in {"palette"}
        ]
        themes = sorted(self._app.available_themes)
        commands += [(f"Theme {name}", "Colours", f"app.set_theme('{name}')") for name in themes]
        return commands

    async def discover(self) -> Hits:
        """All of it, before anything is typed."""
        for name, help_text, action in self._list():
            yield DiscoveryHit(
                Content(name),
                partial(self._run, action),
                text=name,
                help=Content(help_text),  # type: ignore[arg-type]
            )

    async def search(self, query: str) -> Hits:
        """Actions whose name fits, then patients whose id contains the text."""
        matcher = self.matcher(query)
        for name, help_text, action in self._list():
            score = matcher.match(f"{name} {help_text}")
            if score > 0:
                yield Hit(
                    score,
                    Content(name),
                    partial(self._run, action),
                    text=name,
                    help=Content(help_text),  # type: ignore[arg-type]
                )
        async for hit in self._search_patients(query):
            yield hit

    async def _search_patients(self, query: str) -> AsyncIterator[Hit]:
        import asyncio

        app = self._app
        text = query.removeprefix("open ").strip()
        if app.reader is None or app.names.is_private or len(text) < MIN_ID_LENGTH:
            return
        for patient in await asyncio.to_thread(app.reader.search_patients, text):
            shown = f"Open patient {app.names.name_of(patient)}"
            yield Hit(0.5, Content(shown), partial(app.open_patient, patient), text=shown)

    async def _run(self, action: str) -> None:
        await self.screen.run_action(action)


def _name(action: Action) -> str:
    keys = " ".join(show_key(key) for key in action.keys)
    return f"{action.label}  ({keys})"
