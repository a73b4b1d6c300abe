"""What the mouse does over the ECG: click, double click, wheel, drag."""

from textual import events

from ptacl_app.drawing.calipers import Calipers
from ptacl_app.drawing.ecg_page import Layout
from ptacl_app.drawing.ecg_picture import Mark
from ptacl_app.drawing.paper import PaperPage
from ptacl_app.shell.services import services_of
from ptacl_app.widgets.ecg.choices import EcgChoices
from ptacl_app.widgets.pointer import place_of

GRAB_CELLS = 1.0
"""A caliper or mark is taken from within so many cells."""


class EcgMouse(EcgChoices):
    """Turns places into moments of the recording."""

    _grabbed: Mark | Calipers | float | None = None
    _grabbed_at = (0.0, 0.0)
    _has_dragged = False

    def on_click(self, event: events.Click) -> None:
        """A click selects the lead and moves playback to the moment; twice: one lead."""
        x, y = self._place_of_click(event)
        lead, time_s = self.lead_at(x, y), self.time_at(x)
        if self._has_dragged or lead is None or time_s is None:
            self._has_dragged = False
            return
        if event.chain == 2:
            self.enlarge(lead)
        else:
            self.pick(time_s, lead)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take a caliper, a mark or the page."""
        self._has_dragged = False
        x, _ = self._grabbed_at = self._place_of(event)
        time_s = self.time_at(x)
        if event.button != 1 or time_s is None:
            return
        ahead_s = self.time_at(x + GRAB_CELLS)
        reach_s = abs((ahead_s if ahead_s is not None else time_s) - time_s)
        self._grabbed = self._find_grabbed(time_s, reach_s)
        self.capture_mouse()

    def _find_grabbed(self, time_s: float, reach_s: float) -> Mark | Calipers | float:
        if self.calipers is not None:
            taken = self.calipers.taking(time_s, within_s=reach_s)
            if abs(taken.times_s[taken.active] - time_s) <= reach_s:
                return taken
        nearest = min(self.visible_marks, key=lambda mark: abs(mark.time_s - time_s), default=None)
        if nearest is not None and abs(nearest.time_s - time_s) <= reach_s:
            return nearest
        return time_s

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag what was taken."""
        grabbed = self._grabbed
        if grabbed is None:
            return
        x, y = self._place_of(event)
        if not self._has_dragged and (x, y) == self._grabbed_at:
            return
        time_s = self.time_at(x)
        if time_s is None:
            return
        if isinstance(grabbed, Calipers):
            if not self._has_dragged:
                self.set_calipers(grabbed)
            self.move_caliper_to(time_s)
        elif isinstance(grabbed, float):
            self.pan_to(self.page.start_shown_s - (time_s - grabbed))
        self._has_dragged = True

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Let go; a mark stays where it was let go."""
        self.release_mouse()
        grabbed, self._grabbed = self._grabbed, None
        if isinstance(grabbed, Mark) and self._has_dragged:
            time_s = self.time_at(self._place_of(event)[0])
            if time_s is not None:
                self.drop_mark(grabbed, time_s)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel pans; with Ctrl it zooms."""
        event.stop()
        self._scroll(event, -1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel pans; with Ctrl it zooms."""
        event.stop()
        self._scroll(event, 1)

    def _scroll(self, event: events.MouseEvent, direction: int) -> None:
        if event.ctrl:
            self.change_zoom(direction, around_s=self.time_at(self._place_of(event)[0]))
        else:
            self.pan(-0.1 * direction)

    def time_at(self, x: float) -> float | None:
        """The moment under a place in cells from the left, None beside the traces."""
        page = self.page
        if isinstance(page, PaperPage) and self.cell_px is not None:
            return page.time_of(x * self.cell_px[0])
        return self.view.time_of(int(x))

    def lead_at(self, x: float, y: float) -> int | None:
        """The lead under a place in cells."""
        page = self.page
        if isinstance(page, PaperPage) and self.cell_px is not None:
            width_px, height_px = self.cell_px
            panel = page.panel_at(x * width_px, y * height_px)
        else:
            panel = self.view.panel_at(int(x), int(y))
        return None if panel is None else panel.lead

    def pick(self, time_s: float, lead: int) -> None:
        """Select a lead; the active caliper, or playback, goes to the moment."""
        self.change(lead=lead)
        if self.calipers is not None:
            self.move_caliper_to(time_s)
        else:
            self.post_message(self.TimePicked(time_s))

    def enlarge(self, lead: int) -> None:
        """One lead in the whole pane, or all again."""
        is_one = self.view.layout is Layout.ONE_LEAD
        self.change(layout=Layout.THREE_BY_FOUR if is_one else Layout.ONE_LEAD, lead=lead)

    def drop_mark(self, mark: Mark, time_s: float) -> None:
        """A mark was dragged to a moment: to its nearest sample."""
        if self.trace is not None and self.view.layout is not Layout.MEDIAN_BEAT:
            self.post_message(self.MarkMoved(mark, self.trace.snap(time_s)))

    def _place_of_click(self, event: events.Click) -> tuple[float, float]:
        """Where the button was pressed: Textual's clicks know their cell alone."""
        x, y = self._place_of(event)
        pressed_x, pressed_y = self._grabbed_at
        is_there = (int(x), int(y)) == (int(pressed_x), int(pressed_y))
        return self._grabbed_at if is_there else (x, y)

    def _place_of(self, event: events.MouseEvent) -> tuple[float, float]:
        return place_of(event, services_of(self).images)
