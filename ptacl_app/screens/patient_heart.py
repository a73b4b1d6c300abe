"""The patient screen's heart: what keys and mouse do to playback and to the cine."""

from typing import TYPE_CHECKING

from textual.screen import Screen

from ptacl_app.shell.services import Services, services_of
from ptacl_app.widgets.cine_view import CinePlot
from ptacl_app.widgets.ecg.plot import EcgPlot
from ptacl_app.widgets.ecg.step_strip import StepStrip

if TYPE_CHECKING:
    from ptacl_app.drawing.playback import PlaybackClock, Position
    from ptacl_app.terminal.back_pressure import FrameCount


class PatientHeart(Screen[None]):
    """A part of the patient screen, which owns the clock."""

    arrow_mode: str

    if TYPE_CHECKING:
        clock: PlaybackClock
        frames: FrameCount

        def _show_position(self, position: Position) -> None: ...
        def _show_status(self, position: Position) -> None: ...

    @property
    def _services(self) -> Services:
        return services_of(self)

    def action_toggle_play(self) -> None:
        """Run or stop."""
        if self.clock.is_playing:
            self.clock.pause()
        else:
            self.clock.play(self._services.time_source())
            self.query_one("#ecg", EcgPlot).is_following = True
        self.frames.clear()
        self._show_position(self.clock.position)

    def action_step_frames(self, offset: int) -> None:
        """One frame on or back."""
        self.clock.change_frame(offset)
        self._show_position(self.clock.position)

    def action_go_to_frame(self, frame: int) -> None:
        """A frame of the current beat; −1 is the last."""
        self.clock.pause()
        if self.clock.num_frames is not None:
            self.clock.seek_frame_in_beat(frame)
        else:
            self.clock.seek_phase(0.0 if frame == 0 else 1.0)
        self._show_position(self.clock.position)

    def action_end_systole(self) -> None:
        """The frame with the smallest blood pool."""
        patient = self._services.patient
        if patient is not None and patient.cine is not None:
            self.action_go_to_frame(patient.cine.end_systole_frame)

    def action_change_speed(self, offset: int) -> None:
        """Slower or faster."""
        self.clock.change_speed(offset)
        self._show_status(self.clock.position)

    def action_real_time(self) -> None:
        """The speed of the recording."""
        self.clock.speed = 1.0
        self._show_status(self.clock.position)

    def action_outline(self) -> None:
        """The blood pool's outline over the cine."""
        cine = self.query_one("#cine", CinePlot)
        if self._services.images is None:
            self.notify("outlines need pixels: ptacl-app --graphics …", markup=False)
            return
        cine.toggle_outline()

    def action_invert(self) -> None:
        """Black and white exchanged."""
        cine = self.query_one("#cine", CinePlot)
        cine.window = cine.window.inverted()

    def action_auto_window(self) -> None:
        """The picture's own window."""
        self.query_one("#cine", CinePlot).reset_window()

    def action_window_mode(self) -> None:
        """Arrows change the window until Esc."""
        self.arrow_mode = "" if self.arrow_mode == "window" else "window"
        self._show_status(self.clock.position)

    def on_cine_plot_frame_scrolled(self, message: CinePlot.FrameScrolled) -> None:
        """The wheel turned over the cine."""
        self.action_step_frames(message.offset)

    def on_cine_plot_play_toggled(self) -> None:
        """The cine was double-clicked."""
        self.action_toggle_play()

    def on_step_strip_step_picked(self, message: StepStrip.StepPicked) -> None:
        """A step was clicked."""
        self.clock.pause()
        self.clock.seek_step(message.step)
        self._show_position(self.clock.position)
