"""The cohort screen, driven by keys and clicks; what it shows comes from a real store."""

from textual.widgets import OptionList, Static

from ptacl_app.shell import messages
from ptacl_app.widgets.findings_panel import FindingsPanel
from ptacl_app.widgets.preview import Preview
from ptacl_app.widgets.safe_input import SafeInput
from ptacl_app.widgets.tables.patients import PAGE_ROWS, PatientTable


def table_of(app):
    return app.screen.query_one("#table", PatientTable)


def failure_of(app):
    note = app.screen.query_one("#failure", Static)
    return str(note.content) if note.has_class("-shown") else ""


async def test_table_shows_the_store_and_the_selected_patient(make_app, settle, read_screen):
    app = make_app()
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await pilot.pause(0.3)
        await settle(pilot)
        assert app.screen.focused is table_of(app)
        assert [row.patient for row in table_of(app).page.rows[:2]] == ["p0000", "p0001"]
        text = "\n".join(read_screen(app))
        assert "48 visits" in text
        assert "RESEARCH USE ONLY" in text
        assert "1–48 of 48" in text
        panel = app.screen.query_one("#preview", Preview).query_one(FindingsPanel)
        assert panel.patient is not None
        assert panel.patient.patient == "p0000"
        for presses, patient in ((2, "p0002"), (1, "p0003")):  # it goes on following the cursor
            await pilot.press(*["down"] * presses)
            await pilot.pause(0.3)
            await settle(pilot)
            assert panel.patient.patient == patient


async def test_filter_is_a_predicate_of_the_store(make_app, settle):
    app = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"sex = 'F'", "enter")
        await settle(pilot)
        rows = table_of(app).page.rows
        assert len(rows) == 24
        assert {row.sex for row in rows} == {"F"}
        assert app.screen.focused is table_of(app)
        await pilot.press("escape")
        await settle(pilot)
        assert table_of(app).page.total == 48


async def test_failing_predicate_stays_in_its_pane(make_app, settle):
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        for wrong in ("lvef < 50", "1; DROP TABLE patients", "nonsense ((("):
            app.screen.query_one("#filter", SafeInput).value = wrong
            app.screen.query_one("#filter", SafeInput).focus()
            await pilot.press("enter")
            await settle(pilot)
            assert failure_of(app)
            assert "Traceback" not in failure_of(app)
            assert table_of(app).page.total == 48
            assert app.screen.query_one("#filter", SafeInput).value == wrong


async def test_sorting_happens_in_the_store(make_app, settle):
    app = make_app()
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await pilot.press("s", "s", "s")
        await settle(pilot)
        assert app.screen.sort == "age_years"
        ages = [row.age_years for row in table_of(app).page.rows]
        assert ages == sorted(ages)
        await pilot.press("r")
        await settle(pilot)
        ages = [row.age_years for row in table_of(app).page.rows]
        assert ages == sorted(ages, reverse=True)


async def test_clicking_a_heading_sorts_by_it(make_app, settle):
    app = make_app()
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await pilot.click("#table", offset=(20, 0))
        await settle(pilot)
        assert app.screen.sort != "patient"


async def test_facet_joins_the_filter_and_leaves_it(make_app, settle):
    app = make_app()
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        facets = app.screen.query_one("#facet-list", OptionList)
        facets.focus()
        await pilot.press("home", "enter")
        await settle(pilot)
        assert app.screen.where == "sex = 'F'"
        assert table_of(app).page.total == 24
        facets.focus()
        await pilot.press("enter")
        await settle(pilot)
        assert app.screen.where == ""


async def test_pages_turn_at_their_ends(make_app, settle, many_cohort_dir):
    app = make_app(many_cohort_dir)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        table = table_of(app)
        assert (len(table.page.rows), table.page.total) == (PAGE_ROWS, 450)
        table.move_cursor(row=PAGE_ROWS - 1)
        await pilot.press("down")
        await settle(pilot)
        assert (table.page.offset, table.cursor_row) == (200, 0)
        assert table.selected.patient == "q0200"
        await pilot.press("up")
        await settle(pilot)
        assert (table.page.offset, table.cursor_row) == (0, PAGE_ROWS - 1)
        await pilot.press("ctrl+end")
        await settle(pilot)
        assert table.selected.patient == "q0449"
        await pilot.press("ctrl+home")
        await settle(pilot)
        assert table.selected.patient == "q0000"


async def test_enter_opens_the_patient_and_brackets_walk_the_page(make_app, settle):
    app = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("down", "enter")
        await settle(pilot)
        assert app.current_mode == "patient"
        assert app.patient.patient == "p0001"
        await pilot.press("right_square_bracket")
        await settle(pilot)
        assert app.patient.patient == "p0002"
        await pilot.press("left_square_bracket", "1")
        await settle(pilot)
        assert app.patient.patient == "p0001"
        assert app.current_mode == "cohort"


async def test_empty_cohort_says_what_to_do(make_app, settle, empty_cohort_dir):
    app = make_app(empty_cohort_dir)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "ptacl simulate" in failure_of(app)
        await pilot.press("enter", "2")
        await settle(pilot)
        assert app.screen.has_class("-empty")


async def test_damaged_store_is_one_sentence_on_screen(make_app, settle, tmp_path, cohort_dir):
    root = tmp_path / "damaged"
    root.mkdir()
    (root / "cohort.toml").write_text((cohort_dir / "cohort.toml").read_text())
    (root / "cohort.duckdb").write_bytes(b"not a store" * 100)
    app = make_app(root)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        assert failure_of(app)
        assert "Traceback" not in failure_of(app)
        assert app.return_code in (None, 0)


async def test_store_is_reread_after_a_publication(make_app, settle, tmp_path):
    import pyarrow as pa

    from ptacl_core.cohort import Cohort

    root = tmp_path / "growing"
    Cohort.create(root, name="growing", source="files", preprocessing_hash="0" * 16).close()
    app = make_app(root)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        assert failure_of(app)
        with Cohort.write(root, purpose="test") as writer:
            writer.put_patients(pa.Table.from_pylist([{"patient": "new", "sex": "F"}]))
        app.check_publication()
        await settle(pilot)
        assert [row.patient for row in table_of(app).page.rows] == ["new"]
        assert failure_of(app) == ""


async def test_facts_come_as_messages(make_app, settle):
    seen = []
    app = make_app()
    async with app.run_test(size=(120, 36), message_hook=seen.append) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
    kinds = [type(message) for message in seen]
    for kind in (messages.CohortOpened, messages.PageLoaded, messages.PatientLoaded):
        assert kind in kinds
    loaded = next(message for message in seen if isinstance(message, messages.PatientLoaded))
    assert loaded.patient.patient == "p0000"
