"""The words of a line of SQL, and their colours in the editor without any grammar."""

import pytest

from ptacl_app.text.sql_words import find_words
from ptacl_app.widgets.sql_editor import SqlEditor


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "SELECT avg(age) FROM overview",
            [("SELECT", "keyword"), ("avg", "function"), ("FROM", "keyword")],
        ),
        ("where sex = 'it''s' -- and so", [("where", "keyword"), ("'it''s'", "string"),
                                            ("-- and so", "comment")]),
        ("limit 10.5e3;", [("limit", "keyword"), ("10.5e3", "number")]),
        ('"from" lvef_pct x2', []),
        ("/* a */ x /* b", [("/* a */", "comment"), ("/* b", "comment")]),
        ("'open", [("'open", "string")]),
        ("", []),
    ],
)  # fmt: skip
def test_words_of_a_line(line, words):
    assert [(line[start:end], kind) for start, end, kind in find_words(line)] == words


async def test_the_editor_colours_what_it_knows(make_app, settle):
    app = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        editor = app.screen.query_one("#editor", SqlEditor)
        editor.text = "SELECT 1 AS one"
        await pilot.pause()
        spans = editor.get_line(0).spans
        assert [(span.start, span.end) for span in spans] == [(0, 6), (7, 8), (9, 11)]
        assert spans[0].style.color != spans[1].style.color
