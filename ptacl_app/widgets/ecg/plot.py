"""The ECG on its paper, with the playback cursor, calipers and marks; in pixels or in cells."""

from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip

from ptacl_app.drawing.ecg_picture import PageDetails
from ptacl_app.drawing.paper import PaperPage, describe_scale
from ptacl_app.drawing.paper_inks import PAPERS
from ptacl_app.drawing.playback import NUM_STEPS
from ptacl_app.drawing.saliency import place_levels_px
from ptacl_app.shell.services import services_of
from ptacl_app.shell.themes import CONTRAST_THEME
from ptacl_app.text.formatting import format_change
from ptacl_app.widgets.ecg.cells import COMPONENTS, EcgCells
from ptacl_app.widgets.ecg.mouse import EcgMouse
from ptacl_app.widgets.ecg.pixels import EcgPixels, MovingLines


class EcgPlot(EcgMouse, can_focus=True):
    """Draws one recording at true aspect; emits what the reader points at."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(COMPONENTS)
    DEFAULT_CSS = """
    EcgPlot {
        height: 1fr;
        background: $ecg-margin;
        & .ecg--even { background: $ecg-even; }
        & .ecg--odd { background: $ecg-odd; }
        & .ecg--margin { background: $ecg-margin; }
        & .ecg--trace { color: $ecg-trace; }
        & .ecg--label { color: $ecg-label; text-style: bold; }
        & .ecg--selected { color: $accent; text-style: bold; }
        & .ecg--clipped { color: $ecg-clipped; text-style: bold; }
        & .ecg--pulse { color: $ecg-pulse; }
        & .ecg--ghost { color: $ecg-ghost; }
        & .ecg--cursor { background: $ecg-cursor; }
        & .ecg--beat { background: $ecg-beat; }
        & .ecg--caliper { background: $ecg-caliper; }
        & .ecg--salient-up { background: $salient-up; }
        & .ecg--salient-down { background: $salient-down; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._cells = EcgCells(self)
        self._pixels: EcgPixels | None = None

    def on_mount(self) -> None:
        """Pixels, where the terminal has them."""
        images = services_of(self).images
        if images is not None:
            self._pixels = EcgPixels(images, on_lost=self._redraw)
            self.cell_px = images.cell_px

    def on_unmount(self) -> None:
        """Give the pictures back."""
        if self._pixels is not None:
            self._pixels.release()

    def _redraw(self) -> None:
        """The pictures are gone; cells may have another size."""
        images = services_of(self).images
        if images is not None and self.cell_px != images.cell_px:
            self.cell_px = images.cell_px
            self.forget()
        self.refresh()

    @property
    def _theme_paper(self) -> str:
        """What goes with the theme, unless the settings say otherwise."""
        asked = services_of(self).settings.paper
        if asked != "auto":
            return asked
        if self.app.theme == CONTRAST_THEME:
            return "contrast"
        return "dark" if self.app.current_theme.dark else "pink"

    def watch_view(self) -> None:
        """A new page is drawn when it is next painted."""
        self.forget()

    def watch_choice(self) -> None:
        """The same page in another processing."""
        self._fit_view()
        self.forget()
        self.post_message(self.ViewChanged(self))

    def watch_has_marks(self) -> None:
        """Marks belong to the page."""
        self.forget()

    def watch_paper(self) -> None:
        """Other colours."""
        self.forget()

    def on_resize(self, event: events.Resize) -> None:
        """The page takes the cells that there are."""
        self.change(num_columns=event.size.width, num_rows=event.size.height)
        self.forget()

    def notify_style_update(self) -> None:
        """Another theme, other styles."""
        super().notify_style_update()
        self._cells.forget(styles=True)
        if self._pixels is not None:
            self._pixels.forget()

    def watch_cursor_s(self) -> None:
        """Repaint what the cursor leaves and reaches, nothing else."""
        self.repaint_moved()

    def watch_beat_span_s(self) -> None:
        """The beat's ground moves with it."""
        self.repaint_moved()

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """All there is."""
        del viewport
        return container.width

    def render_line(self, y: int) -> Strip:
        """One row of the page."""
        width = self.size.width
        trace = self.trace
        if trace is None:
            if y == self.size.height // 2:
                style = self.get_component_rich_style("ecg--label")
                return Strip([Segment(self.note[:width].center(width), style)], width)
            return Strip.blank(width, self.get_component_rich_style("ecg--margin"))
        margin = self.get_component_rich_style("ecg--margin")
        if self.view.num_columns != width:
            return Strip.blank(width, margin)
        page = self.page
        if self._pixels is not None and isinstance(page, PaperPage):
            if self.view.num_rows != self.size.height:  # its resize is on the way
                return self._pixels.repeat_row(y, width, ground=margin)
            return self._pixels.render_row(
                y,
                page,
                trace,
                self._describe_details(page) if y == 0 else PageDetails(),
                PAPERS[self.paper or self._theme_paper],
                size=(width, self.size.height),
                ground=margin,
                label=self._describe_page(page) if y == 0 else "",
            )
        return self._cells.render_row(y, trace) or Strip.blank(width, margin)

    def _describe_page(self, page: PaperPage) -> str:
        """What one sees, for those who do not."""
        end_s = min(page.start_shown_s + page.page_s, page.duration_s)
        return (
            f"ECG on paper, {self.view.layout.label}, {describe_scale(page)}, "
            f"{page.start_shown_s:.1f} to {end_s:.1f} s, {self.shown_choice.value}"
        )

    def _describe_details(self, page: PaperPage) -> PageDetails:
        tints, notes = None, ()
        if self.saliency is not None:
            tints = place_levels_px(page, self.r_peak_times_s, self.saliency.step_levels)
            notes = tuple(
                format_change(change, self.saliency.unit) for change in self.saliency.leads
            )
        return PageDetails(
            selected_lead=self.view.lead,
            marks=self.visible_marks,
            tints=tints,
            ghosts=self.ghosts,
            lead_notes=notes,
        )

    def repaint_moved(self) -> None:
        """Paint the columns that cursor, beat or calipers leave and reach again, nothing else."""
        page = self.page
        if self._pixels is not None and isinstance(page, PaperPage):
            size = self.view.num_columns, self.size.height
            is_drawn = self._pixels.move(page, self._find_lines(), size=size)
            if self.is_mounted and not is_drawn:
                self.refresh()
            return
        changes = self._cells.find_changes()
        if changes is not None and self.is_mounted:
            first, count = changes
            self.refresh(Region(first, 0, count, self.size.height))

    def _find_lines(self) -> MovingLines:
        step_span_s = None
        if self.cursor_s is not None and self.beat_span_s is not None:
            start_s, end_s = self.beat_span_s
            length_s = (end_s - start_s) / NUM_STEPS
            step = int((self.cursor_s - start_s) / length_s) if length_s > 0 else 0
            if 0 <= step < NUM_STEPS:
                step_span_s = (start_s + step * length_s, start_s + (step + 1) * length_s)
        return MovingLines(self.cursor_s, step_span_s, self.caliper_lines_s)

    def forget(self) -> None:
        """Another page is drawn when it is next painted."""
        self._cells.forget()
        if self._pixels is not None:
            self._pixels.forget()
