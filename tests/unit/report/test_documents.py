from html.parser import HTMLParser

from ptacl_core.report.blocks import Bullets, Figure, Heading, Paragraph, Report, Table
from ptacl_core.report.html import render_html
from ptacl_core.report.markdown import list_figures, render_markdown
from ptacl_core.report.numbers import show, show_cell, show_duration, show_p

HOSTILE = "<script>alert('x')</script> | & \" ]("

REPORT = Report(
    "Title " + HOSTILE,
    ("Research use only.", "Simulated."),
    [
        Heading("First section"),
        Paragraph(HOSTILE),
        Paragraph("Careful.", is_warning=True),
        Bullets(["one", HOSTILE]),
        Table("Caption", ["Name", "R²"], [["PTACL", "0.5\n[0.4, 0.6]"], ["  the paper", "0.51"]]),
        Figure("plot", "<svg xmlns='http://www.w3.org/2000/svg'></svg>", "What it shows."),
    ],
)


class Reader(HTMLParser):
    """Tags in order, and whether every tag that opens also closes."""

    VOID = frozenset({"meta", "br", "img", "link"})

    def __init__(self):
        super().__init__()
        self.tags, self.open, self.attributes = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend(attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(page):
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_a_page_is_whole_and_loads_nothing():
    reader = read(render_html(REPORT))
    assert "script" not in reader.tags
    assert not {"src", "href"} & {
        name for name, value in reader.attributes if "//" in (value or "")
    }
    assert ("lang", "en") in reader.attributes
    assert reader.tags.count("svg") == 1


def test_notices_stand_at_both_ends_of_the_page():
    page = render_html(REPORT)
    assert page.count("Research use only.") == 2


def test_links_of_the_contents_lead_to_sections():
    page = render_html(REPORT)
    assert '<a href="#first-section">' in page
    assert '<h2 id="first-section">' in page


def test_tables_have_captions_and_named_rows():
    page = render_html(REPORT)
    assert "<caption>Caption</caption>" in page
    assert '<th scope="row">PTACL</th><td>0.5<small>[0.4, 0.6]</small></td>' in page
    assert '<tr class="aside"><th scope="row">the paper</th>' in page


def test_markdown_keeps_cells_apart_and_names_figures():
    text = render_markdown(REPORT)
    assert "| PTACL | 0.5 [0.4, 0.6] |" in text
    assert "| *the paper* | *0.51* |" in text
    assert "![What it shows.](figures/plot.svg)" in text
    assert list(list_figures(REPORT)) == ["plot.svg"]


def test_numbers_are_dashes_where_nothing_is_defined():
    assert show(None) == "–"
    assert show(-0.00001) == "0.000"
    assert show(-0.1234, is_signed=True) == "−0.123"
    assert show_cell({"value": 0.5, "low": None, "high": 1.0}) == "0.500"
    assert show_p(None) == "–"
    assert show_p(0.00004) == "4.0e-05"
    assert [show_duration(value) for value in (59, 600, 7300)] == ["59 s", "10.0 min", "2.0 h"]
