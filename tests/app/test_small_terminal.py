"""80×24: nothing of a large terminal is out of reach, no prediction is without its interval."""

from textual.widgets import OptionList

from ptacl_app.widgets.phenotype_panel import PhenotypePanel
from ptacl_app.widgets.preview import Preview
from ptacl_app.widgets.tables.neighbours import NeighbourList
from ptacl_app.widgets.tables.patients import COLUMNS
from ptacl_app.widgets.title_line import TitleLine

SMALL = (80, 24)


def rows_of(widget):
    return [widget.render_line(y).text for y in range(widget.size.height)]


async def test_all_columns_of_the_table_fit(make_app, settle, read_screen):
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        rows = read_screen(app)
        heading = next(row for row in rows if "patient" in row and "sex" in row)
        assert [column for column in COLUMNS if column.heading not in heading] == []
        assert "simulated" in app.screen.query_one("#title", TitleLine).detail[:30]


async def test_side_panels_take_the_place_of_the_main_pane(make_app, settle, read_screen):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        for keys, shown in (
            (("1", "b"), "recordings"),
            (("3", "b"), "among these neighbours"),
            (("5", "b"), "top-1 0.74"),
            (("4", "f9"), "overview"),
        ):
            await pilot.press(*keys)
            await settle(pilot)
            assert shown in "\n".join(read_screen(app)), keys
            await pilot.press("escape", "f9")
            await settle(pilot)
            assert not app.screen.has_class("-side")


async def test_a_facet_chosen_in_a_small_terminal_leads_back_to_the_rows(make_app, settle):
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.press("b")
        assert isinstance(app.screen.focused, OptionList)
        await pilot.press("home", "enter")
        await settle(pilot)
        assert app.screen.where == "sex = 'F'"
        assert app.screen.query_one("#table").display
        assert app.screen.focused is app.screen.query_one("#table")


async def test_the_summary_is_read_when_a_larger_window_shows_it(make_app, settle):
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.resize_terminal(146, 40)
        await pilot.pause(0.3)
        await settle(pilot)
        assert "p0000" in app.screen.query_one(Preview).query_one("#preview-head").detail


async def test_intervals_are_numbers_at_every_width(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        for size, keys in ((SMALL, ("tab",)), ((146, 40), ()), ((120, 36), ())):
            await pilot.resize_terminal(*size)
            await pilot.press(*keys)
            await settle(pilot)
            panel = app.screen.query_one("#phenotypes", PhenotypePanel)
            rows = [row for row in rows_of(panel) if "~" in row]
            assert len(rows) >= 6
            for row in rows:
                predicted, *others = row.split("~")[1].split()
                interval = next(text for text in others if "–" in text)  # the z stands before it
                low, high = (float(bound) for bound in interval.split("–"))
                assert low < float(predicted) < high


async def test_two_hearts_show_a_number_with_its_interval(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.press("n")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        for panel in app.screen.query(PhenotypePanel):
            head, row = rows_of(panel)
            assert "90 %" in head
            assert row.startswith("LVEF %")
            assert "–" in row


async def test_no_table_cuts_a_number_at_its_edge(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.press("n")
        await settle(pilot)
        table = app.screen.query_one("#table", NeighbourList)
        cells, shown = [cell.plain for cell in table.get_row_at(0)], ""
        for _ in range(24):
            shown = table.render_line(1).text
            assert all(part in " ".join(cells).split() for part in shown.split()), shown
            assert cells[1] in shown
            assert ("…" in table.render_line(0).text) == bool(table.find_cut_columns())
            table.scroll_relative(x=3, animate=False)
            await pilot.pause()
        assert cells[-1] in shown


async def test_what_is_typed_into_a_dialog_can_be_read(make_app, settle, read_screen):
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+o", *"abc")
        await settle(pilot)
        assert any(" abc" in row for row in read_screen(app))
        await pilot.press("escape", "slash", *"visit", "equals_sign", "2", "enter")
        await settle(pilot)
        await pilot.press("ctrl+s", *"mine")
        await settle(pilot)
        assert any(" mine" in row for row in read_screen(app))
