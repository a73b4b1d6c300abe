"""Keys one after another: each reaches the screen and the widget that the one before has opened.

Textual hands a key to the widget that has the focus when the key is read. In a burst (a paste, a
slow line) what follows a key that opens a screen or moves the focus would be handled by what was
there before, or by a screen without widgets: lost, or played in the wrong place. Here a key waits
until the one before has been handled, and until a new screen has been painted once.
"""

from collections import deque
from typing import Any
from weakref import WeakSet

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.screen import Screen

AT_ONCE = frozenset({"ctrl+q", "ctrl+c"})
"""Leaving never waits."""
KEY_PATIENCE_S = 0.25
"""A widget that ends with its key never says that it is done; nobody waits longer for one."""
SCREEN_PATIENCE_S = 2.0
"""Nor for a screen that is never painted."""


class EarlyKeys(App[int]):
    """A part of the app: in which order keys reach which screen."""

    def __init__(self) -> None:
        super().__init__()
        self._held: deque[events.Key] = deque()
        self._pressed: events.Key | None = None
        self._painted: WeakSet[Screen[Any]] = WeakSet()
        self._awaited: Screen[Any] | None = None

    async def on_event(self, event: events.Event) -> None:
        """Hand a key on, or keep it until those before have been handled."""
        match event:
            case events.Key(key=key) if self._screen_stack and not event.is_forwarded:
                await (super().on_event(event) if key in AT_ONCE else self._take(event))
            case _:
                await super().on_event(event)

    async def _take(self, key: events.Key) -> None:
        if self._held or self._pressed is not None or self.screen not in self._painted:
            self._held.append(key)
            self._wait()
        else:
            await self._press(key)

    async def _press(self, key: events.Key) -> None:
        target = self.focused or self.screen
        self._pressed = key
        await super().on_event(key)
        if not target.call_later(self._follow, key, target):
            self._finish(key)

    def _follow(self, key: events.Key, place: MessagePump) -> None:
        """`place` has handled the key; its parent has it next, if it is not kept."""
        parent = place._parent
        if parent is None or not parent.call_later(self._follow, key, parent):
            self._finish(key)

    def _finish(self, key: events.Key) -> None:
        if key is self._pressed:
            self._pressed = None
            if self._held:
                self.call_later(self._go_on)

    def _wait(self) -> None:
        """Somebody waits: for a key, or for a screen to be painted."""
        screen, key = self.screen, self._pressed
        if key is not None:
            self.set_timer(KEY_PATIENCE_S, lambda: self._finish(key))
        elif screen in self._painted:
            self.call_later(self._go_on)
        elif screen is not self._awaited:
            self._awaited = screen
            screen.call_after_refresh(self._note_painted, screen)
            self.set_timer(SCREEN_PATIENCE_S, lambda: self._note_painted(screen))

    def _note_painted(self, screen: Screen[Any]) -> None:
        self._painted.add(screen)
        self._awaited = None
        self.call_later(self._go_on)

    async def _go_on(self) -> None:
        if not self._held or self._pressed is not None or not self._screen_stack:
            return
        if self.screen in self._painted:
            await self._press(self._held.popleft())
        if self._held:
            self._wait()
