"""The 13 steps of the beat in one row: where each lies among the frames, and which is now."""

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from ptacl_app.drawing.playback import NUM_STEPS, Position
from ptacl_app.drawing.saliency import MAX_TINT, NUM_LEVELS, Saliency
from ptacl_app.drawing.strips import tint
from ptacl_app.text.formatting import format_change


class StepStrip(Widget):
    """One row of cells under the ECG; a click goes to the step."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "step--quiet",
        "step--other",
        "step--current",
        "step--caption",
        "step--salient-up",
        "step--salient-down",
    }
    DEFAULT_CSS = """
    StepStrip {
        height: 1;
        background: $background;
        & .step--quiet { background: $step-quiet; color: $step-quiet-ink; }
        & .step--other { background: $step-quiet 70%; color: $step-quiet-ink; }
        & .step--current {
            background: $step-current; color: $step-current-ink; text-style: bold;
        }
        & .step--salient-up { background: $salient-up; }
        & .step--salient-down { background: $salient-down; }
        & .step--caption { background: $background; color: $quiet-ink; }
    }
    """

    position: reactive[Position | None] = reactive(None, repaint=False)
    """Where playback stands; None: nothing to play."""

    class StepPicked(Message):
        """The reader clicked a step."""

        def __init__(self, step: int) -> None:
            self.step = step
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.num_beats = 0
        self.num_frames: int | None = None
        self.saliency: Saliency | None = None

    def show_saliency(self, saliency: Saliency | None) -> None:
        """Tint every step by its change and write the change beside its number."""
        self.saliency = saliency
        self.refresh()

    def show(self, *, num_beats: int, num_frames: int | None) -> None:
        """Name the beats and frames that the steps belong to."""
        self.num_beats, self.num_frames = num_beats, num_frames
        self.saliency = None
        self.position = None
        self.refresh()

    def watch_position(self, before: Position | None, after: Position | None) -> None:
        """Repaint when the step or the beat is another one."""
        if before is None or after is None:
            changed = before is not after
        else:
            changed = (before.step, before.beat) != (after.step, after.beat)
        if changed:
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Go to the step under the mouse."""
        offset = event.get_content_offset(self)
        if offset is None or self.position is None:
            return
        first, edges = self._lay_out()
        for step in range(NUM_STEPS):
            if edges[step] <= offset.x - first < edges[step + 1]:
                self.post_message(self.StepPicked(step))

    def _lay_out(self) -> tuple[int, list[int]]:
        first = len(self._caption()) if self.size.width >= 70 else 0
        width = self.size.width - first
        return first, [width * step // NUM_STEPS for step in range(NUM_STEPS + 1)]

    def _caption(self) -> str:
        if self.num_beats == 0:
            return " steps      "
        beat = 1 if self.position is None else self.position.beat + 1
        return f" beat {beat:>2}/{self.num_beats:<2} "

    def render_line(self, y: int) -> Strip:
        """The row of cells."""
        width = self.size.width
        caption_style = self.get_component_rich_style("step--caption")
        if y > 0:
            return Strip.blank(width, caption_style)
        if self.position is None:
            return Strip(
                [
                    Segment(
                        "no beats and no cine: nothing to play"[:width].ljust(width), caption_style
                    )
                ]
            )
        first, edges = self._lay_out()
        segments = [Segment(self._caption(), caption_style)] if first else []
        for step in range(NUM_STEPS):
            room = edges[step + 1] - edges[step]
            style = self._style_of(step, self.position.step)
            segments.append(Segment(self._label(step, edges[1]).center(room), style))
        return Strip(segments, width)

    def _style_of(self, step: int, current: int) -> Style:
        name = "current" if step == current else ("quiet", "other")[step % 2]
        style = self.get_component_rich_style(f"step--{name}")
        if self.saliency is None or step == current:
            return style
        level = int(self.saliency.step_levels[step])
        colour = "step--salient-up" if level > 0 else "step--salient-down"
        salient = self.get_component_rich_style(colour).bgcolor
        share = MAX_TINT * abs(level) / NUM_LEVELS
        return style + Style(bgcolor=tint(style.bgcolor, salient, share))

    def _label(self, step: int, room: int) -> str:
        label = f"{step + 1}"
        if self.saliency is not None:
            change = format_change(self.saliency.steps[step], self.saliency.unit)
            both = f"{label} {change}"
            if len(both) + 2 <= room:
                return both
            return change if len(change) < room else label[:room]
        if self.num_frames is not None and room >= 10:
            start = -(-step * self.num_frames // NUM_STEPS)
            end = -(-(step + 1) * self.num_frames // NUM_STEPS) - 1
            label = f"{step + 1} f{start + 1}–{end + 1}"
        return label[:room]
