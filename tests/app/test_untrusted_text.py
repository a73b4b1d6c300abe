"""Text from files and people never steers the terminal nor the app (R24, R26, R42)."""

import re
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from rich.segment import Segment
from rich.text import Text
from textual.app import App
from textual.color import Color
from textual.widgets import OptionList, Static, Tree

from ptacl_app.data.patient_view import (
    EcgView,
    Neighbour,
    PatientPage,
    PatientSummary,
    PatientView,
    PhenotypeValue,
    Prediction,
    QueryResult,
)
from ptacl_app.shell.crash import describe_fault, write_crash_note
from ptacl_app.shell.themes import DEFAULT_VARIABLES
from ptacl_app.terminal.output_guard import OutputGuard
from ptacl_app.terminal.placeholders import holds_only_cells
from ptacl_app.widgets.findings_panel import FindingsPanel
from ptacl_app.widgets.pane_head import PaneHead
from ptacl_app.widgets.pane_tabs import PaneTabs
from ptacl_app.widgets.phenotype_panel import PhenotypePanel
from ptacl_app.widgets.safe_input import SafeInput
from ptacl_app.widgets.sql_editor import SqlEditor
from ptacl_app.widgets.status_line import StatusLine
from ptacl_app.widgets.tables.neighbours import NeighbourList
from ptacl_app.widgets.tables.patients import PatientTable
from ptacl_app.widgets.tables.results import ResultTable
from ptacl_app.widgets.title_line import TitleLine
from ptacl_core.cohort import Cohort
from ptacl_core.records import Finding

HOSTILE = (
    "\x1b]0;title\x07", "\x1b]2;title\x1b\\", "\x1b]52;c;ZXZpbA==\x07", "\x1b]52;p;ZXZpbA==\x1b\\",
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\", "\x1b[2J\x1b[H", "\x1b[31mred\x1b[0m",
    "\x1b[?1049l", "\x1b[6n", "\x1b[c", "\x1bc", "\x1b#8", "\x1bP+q544e\x1b\\",
    "\x1b_Gi=1,a=q;AAAA\x1b\\", "\x1b^pm\x1b\\", "\x1bX sos \x1b\\", "\x9b31m", "\x9d0;title\x9c",
    "\x90q\x9c", "\x84\x85\x8d", "\x07\x07\x07", "\x08\x08\x08over", "\x0b\x0c", "\x0e\x0f",
    "\x00nul\x00", "\x7f\x7f", "line\r\nfeed", "carriage\rreturn", "tab\ttab",
    "\u202eright to left", "\u202dleft to right\u202c", "\u2066isolate\u2069",
    "\u2067isolate\u2069", "\u200fmark\u200e", "\u061carabic mark", "zero\u200bwidth\u200d\ufeff",
    "\u2028line\u2029paragraph", "\ue000private\uf8ff", "\U000e0041\U000e007f tags",
    "soft\u00adhyphen", "[@click=app.quit]press[/]", "[@click=app.bell()]x[/@click]", "[/]",
    "[bold", "[link=http://evil.example]x[/link]", "[red on blue]$primary [$error]x",
)  # fmt: skip
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def assert_harmless(strips):
    for strip in strips:
        for segment in strip:
            assert segment.control is None
            if holds_only_cells(segment.text):
                continue  # cells of the app's own pictures, by a terminal with pixels
            bad = [
                character for character in segment.text if unicodedata.category(character) in HIDDEN
            ]
            assert not bad, ascii(segment.text)
            meta = segment.style.meta if segment.style is not None else {}
            assert "@click" not in meta, meta
            assert segment.style is None or not segment.style.link


def make_patient(text):
    return PatientView(
        patient=text, visit=0, split=text, sex=text, age_years=60.0, run=text,
        ecg=EcgView(np.zeros((12, 5000), np.float32), (), None),
        cine=None,
        phenotypes=(PhenotypeValue("lvef_pct", Prediction(60.0, 50.0, 70.0), 61.0),),
        findings=(Finding(text, "warning", text, (text,)),),
    )  # fmt: skip


def build_widgets(text):
    """One of every widget type that the app puts foreign text into."""
    widgets = [Static(text, markup=False), PaneHead(text), StatusLine(), TitleLine()]
    widgets[1].detail = widgets[2].text = widgets[3].detail = text
    tabs = PaneTabs({"a": text})
    tabs.headline = text
    findings, phenotypes = FindingsPanel(), PhenotypePanel()
    findings.patient = phenotypes.patient = make_patient(text)
    options = OptionList(Text(text), markup=False)
    tree = Tree(Text(text))
    return [*widgets, tabs, findings, phenotypes, options, tree, SafeInput(text), SqlEditor(text)]


class Bench(App[None]):
    """Holds the widgets, guarded as the app is."""

    CSS = "Widget { height: auto; min-height: 1; } DataTable { height: 20; }"

    def __init__(self, texts):
        super().__init__()
        self.texts = texts
        self._filters.append(OutputGuard())

    def get_theme_variable_defaults(self):
        return dict(DEFAULT_VARIABLES)

    def compose(self):
        for text in self.texts:
            yield from build_widgets(text)
        yield PatientTable(id="patients")
        yield NeighbourList(id="neighbours")
        yield ResultTable(id="results")

    def on_mount(self):
        rows = tuple(
            PatientSummary(text, 0, text, text, 1.0, 1.0, True, True) for text in self.texts
        )
        self.query_one("#patients", PatientTable).show(
            PatientPage(rows, 0, len(rows)), sort="patient", is_descending=False
        )
        neighbours = tuple(Neighbour(text, 1, 0.5, text, 50.0) for text in self.texts)
        self.query_one("#neighbours", NeighbourList).show(neighbours)
        cells = tuple((text,) for text in self.texts)
        result = QueryResult((self.texts[0],), (*cells, (None,), (b"\x1b",)), False, 0.0)
        self.query_one("#results", ResultTable).show(result)
        for text in self.texts:
            self.notify(text, title=text, markup=False)
        self.query_one("#patients").tooltip = Text(self.texts[0])


@pytest.mark.parametrize("chunk", range(0, len(HOSTILE), 12))
async def test_hostile_text_is_text_in_every_widget(chunk):
    app = Bench(HOSTILE[chunk : chunk + 12])
    async with app.run_test(size=(120, 500)) as pilot:
        await pilot.pause()
        strips = app.screen._compositor.render_strips()
        assert_harmless(strips)
        text = "".join(strip.text for strip in strips)
        for hostile in app.texts:
            words = re.findall("[a-z]{4,}", hostile)
            assert not words or any(word in text for word in words)


def test_guard_lets_printable_text_through_untouched():
    guard = OutputGuard()
    segments = [Segment("plain ⠿▀ text – µ é 漢")]
    assert guard.apply(segments, Color(0, 0, 0)) is segments


@pytest.mark.parametrize("text", HOSTILE)
def test_guard_alone_stops_every_sequence(text):
    shown = OutputGuard().apply([Segment(text)], Color(0, 0, 0))[0].text
    assert not [character for character in shown if unicodedata.category(character) in HIDDEN]


async def test_hostile_cohort_is_shown_as_text_on_every_screen(make_app, settle, tmp_path):
    root = tmp_path / "hostile"
    Cohort.create(
        root, name=HOSTILE[0] + "[/]", source="files", preprocessing_hash="0" * 16
    ).close()
    people = [
        {"patient": text, "sex": text, "ethnicity": text} for text in HOSTILE if "\x00" not in text
    ]
    with Cohort.write(root, purpose="test") as writer:
        writer.put_patients(pa.Table.from_pylist(people))
        writer.put_run(HOSTILE[2], kind=HOSTILE[3], config={})
    app = make_app(root)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        for key in ("2", "3", "4", "5", "1"):
            await pilot.press(key)
            await settle(pilot)
            assert_harmless(app.screen._compositor.render_strips())
        for _ in range(6):
            await pilot.press("1", "down", "enter")
            await settle(pilot)
            assert_harmless(app.screen._compositor.render_strips())
            assert app.is_running
        await pilot.press("question_mark")
        await settle(pilot)
        assert_harmless(app.screen._compositor.render_strips())


async def test_hostile_sql_results_and_errors_are_text(make_app, settle, bare_cohort_dir):
    app = make_app(bare_cohort_dir)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        editor = app.screen.query_one("#editor", SqlEditor)
        for statement in (
            "SELECT chr(27) || ']0;x' || chr(7) AS a, '[@click=app.quit]x[/]' AS \"[/]\"",
            "SELECT '[red]' FROM nowhere_" + "\u202e",
        ):
            editor.text = statement
            await pilot.press("ctrl+j")
            await settle(pilot)
            assert_harmless(app.screen._compositor.render_strips())
            assert app.is_running


def test_crash_note_holds_no_value(tmp_path):
    secret = "Jane Doe 1234567"

    def fail(patient):
        copy = patient
        raise ValueError(f"bad patient {copy}")

    with pytest.raises(ValueError, match="bad patient") as raised:
        fail(secret)
    text = describe_fault(raised.value)
    note = write_crash_note(raised.value, tmp_path / "state")
    assert "ValueError" in text
    assert "Jane" not in text
    assert note is not None
    written = note.read_text()
    assert "fail" in written
    assert "Jane" not in written
    assert "1234567" not in written
    assert note.stat().st_mode & 0o777 == 0o600


SECRET = "Jane Doe 1234567"
FAULTS = (
    ValueError(SECRET), KeyError(SECRET), IndexError(SECRET), TypeError(SECRET),
    RuntimeError(SECRET), OSError(5, SECRET, SECRET), FileNotFoundError(2, "x", SECRET),
    AssertionError(SECRET), AttributeError(SECRET, name=SECRET, obj=SECRET), NameError(SECRET),
    UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET), ZeroDivisionError(SECRET),
    UnicodeEncodeError("ascii", SECRET, 0, 1, SECRET), StopIteration(SECRET), MemoryError(SECRET),
    SyntaxError(SECRET, (SECRET, 1, 1, SECRET)), ImportError(SECRET, name=SECRET, path=SECRET),
    ExceptionGroup(SECRET, [ValueError(SECRET)]), NotImplementedError(SECRET), EOFError(SECRET),
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("link", ["alone", "cause", "note"])
def test_no_fault_tells_a_value(fault, link, tmp_path):
    """R26: 20 kinds of fault, also as a cause and with a note."""
    error = fault.with_traceback(None)
    try:
        if link == "cause":
            raise LookupError(SECRET) from error
        if link == "note":
            error.add_note(SECRET)
        raise error
    except Exception as caught:  # noqa: BLE001 - any of them
        shown = describe_fault(caught)
        note = write_crash_note(caught, tmp_path)
    assert note is not None
    written = note.read_text()
    assert type(fault).__name__ in written
    for word in SECRET.split():
        assert word not in shown + written


async def test_fault_in_a_handler_ends_quietly(make_app, settle, tmp_path):
    secret = "Jane Doe 1234567"
    app = make_app()
    with pytest.raises(ZeroDivisionError):
        async with app.run_test(size=(100, 30)) as pilot:
            await settle(pilot)

            def fail():
                patient = secret
                return 1 // (len(patient) * 0)

            app.call_later(fail)
            await pilot.pause()
    shown = "".join(
        segment.text
        for renderable in app._exit_renderables
        for segment in getattr(renderable, "segments", [])
    )
    notes = list((tmp_path / "state").glob("crash-*.txt"))
    assert len(notes) == 1
    assert secret not in shown + notes[0].read_text()
    assert app.return_code == 1


async def test_fault_in_a_worker_is_a_toast_and_the_app_goes_on(make_app, settle, monkeypatch):
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)

        def fail(*arguments, **options):
            raise RuntimeError("Jane Doe 1234567")

        monkeypatch.setattr(app.reader, "load_patient", fail)
        app.open_patient("p0001")
        await pilot.pause(0.2)
        toasts = [notification.message for notification in app._notifications]
        assert any("RuntimeError" in toast for toast in toasts)
        assert not any("Jane" in toast for toast in toasts)
        assert app.is_running
