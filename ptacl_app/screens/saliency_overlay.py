"""What a prediction rests on, over the ECG: asked for once per visit, kept, put on and off."""

import time
from collections.abc import Callable

from textual.screen import Screen
from textual.timer import Timer

from ptacl_app.data.inference import PredictionCancelledError
from ptacl_app.data.patient_view import PatientView
from ptacl_app.drawing.saliency import Saliency, describe_saliency
from ptacl_app.shell import messages
from ptacl_app.shell.services import Services, services_of
from ptacl_app.text.formatting import PHENOTYPE_LABELS, safe
from ptacl_app.widgets.ecg.plot import EcgPlot
from ptacl_app.widgets.ecg.step_strip import StepStrip
from ptacl_app.widgets.phenotype_panel import PhenotypePanel
from ptacl_core.errors import PtaclError
from ptacl_core.records import PHENOTYPE_NAMES

FIRST = "lvef_pct"
MAX_KEPT = 16
"""Visits whose overlays are kept; the oldest goes first."""


class SaliencyOverlay:
    """State of the overlay of one patient screen; the model is asked in a thread."""

    def __init__(self, screen: Screen[None], *, show_heads: Callable[[], None]) -> None:
        self._screen = screen
        self._show_heads = show_heads
        self._kept: dict[tuple[object, ...], dict[str, Saliency]] = {}
        self._timer: Timer | None = None
        self._started_s = 0.0
        self.name = FIRST
        self.is_on = False
        self.is_busy = False

    @property
    def _app(self) -> Services:
        return services_of(self._screen)

    @property
    def by_phenotype(self) -> dict[str, Saliency]:
        """What is known of the patient shown."""
        patient = self._app.patient
        return {} if patient is None else self._kept.get(_key(patient), {})

    @property
    def headline(self) -> str:
        """What the head of the ECG says of it; empty when there is nothing to say."""
        label = PHENOTYPE_LABELS[self.name]
        if self.is_busy:
            seconds = time.monotonic() - self._started_s
            return f"what {label} rests on: asking … {seconds:.0f} s  Esc cancels"
        saliency = self.by_phenotype.get(self.name)
        if not self.is_on or saliency is None:
            return ""
        return f"~{label}: {describe_saliency(saliency)}   p next"

    # --- what the reader does

    def toggle(self) -> None:
        """On (asking the model first, where it was not yet asked), or off."""
        patient = self._app.patient
        if self.is_busy or patient is None:
            return
        if self.is_on:
            self.is_on = False
            self.draw()
        elif self.by_phenotype:
            self.is_on = True
            self.draw()
        elif patient.ecg is None or not any(value.predicted for value in patient.phenotypes):
            self._screen.notify("no prediction, so nothing to explain", markup=False)
        else:
            self._ask(patient)

    def next_phenotype(self) -> None:
        """The next phenotype that there is an explanation of."""
        known = [name for name in PHENOTYPE_NAMES if name in self.by_phenotype]
        if not self.is_on or not known:
            self.toggle()
            return
        place = known.index(self.name) if self.name in known else -1
        self.name = known[(place + 1) % len(known)]
        self.draw()

    def follow(self, before: PatientView | None, patient: PatientView) -> None:
        """Go on when the same visit comes with the same predictions; else off, and ask anew."""
        if before is not None and _key(before) == _key(patient):
            if _predicted(before) == _predicted(patient):
                self.draw()
                return
            self._kept.pop(_key(patient), None)
        self.is_on = False
        self.draw()

    def leave(self) -> bool:
        """Cancel what is under way, or take the overlay off; False when neither was there."""
        if self.is_busy:
            self._app.predictor.cancel()
            return True
        if self.is_on:
            self.toggle()
            return True
        return False

    # --- the model

    def _ask(self, patient: PatientView) -> None:
        self.is_busy = True
        self._started_s = time.monotonic()
        self._timer = self._screen.set_interval(1.0, self._show_heads)
        self._show_heads()
        self._screen.run_worker(
            lambda: self._explain(patient),
            thread=True,
            exclusive=True,
            group="saliency",
            exit_on_error=False,
        )

    def _explain(self, patient: PatientView) -> None:
        """In a thread: `SaliencyLoaded` or `SaliencyFailed` follows."""
        app, reader = self._app, self._app.reader
        if reader is None:
            return
        try:
            saliency = app.predictor.explain(patient, cohort=reader.path, run=patient.run)
        except PredictionCancelledError:
            self._screen.post_message(messages.SaliencyFailed(""))
        except PtaclError as error:
            self._screen.post_message(messages.SaliencyFailed(safe(error, max_length=400)))
        else:
            self._screen.post_message(messages.SaliencyLoaded(patient, saliency))

    def take(self, message: messages.SaliencyLoaded) -> None:
        """Keep the answer, and show it when its patient is still there."""
        self._end()
        while len(self._kept) >= MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[_key(message.patient)] = message.by_phenotype
        patient = self._app.patient
        self.is_on = patient is not None and _key(patient) == _key(message.patient)
        if self.name not in message.by_phenotype:
            self.name = next(iter(message.by_phenotype), FIRST)
        self.draw()

    def give_up(self, message: messages.SaliencyFailed) -> None:
        """Say why there is no answer, unless the reader cancelled."""
        self._end()
        self._show_heads()
        if message.text:
            self._screen.notify(message.text, severity="warning", markup=False)

    def _end(self) -> None:
        self.is_busy = False
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    # --- what is drawn

    def draw(self) -> None:
        """Put it on the ECG, the steps and the numbers, or take it off them."""
        saliency = self.by_phenotype.get(self.name) if self.is_on else None
        self._screen.query_one("#ecg", EcgPlot).show_saliency(saliency)
        self._screen.query_one("#steps", StepStrip).show_saliency(saliency)
        panel = self._screen.query_one("#phenotypes", PhenotypePanel)
        panel.explain(None if saliency is None else self.name)
        self._show_heads()


def _predicted(patient: PatientView) -> list[float | None]:
    return [phenotype.predicted and phenotype.predicted.value for phenotype in patient.phenotypes]


def _key(patient: PatientView) -> tuple[object, ...]:
    source = None if patient.source is None else patient.source.path
    return (patient.origin, patient.patient, patient.visit, patient.run, source)
