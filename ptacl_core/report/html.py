"""A report as one HTML file without scripts, fonts or links to anywhere else."""

import re
from collections.abc import Sequence
from html import escape

from ptacl_core.report.blocks import Block, Bullets, Figure, Heading, Paragraph, Report, Table
from ptacl_core.report.style import STYLE

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render_html(report: Report) -> str:
    """The whole page; every text is escaped, figures are inlined."""
    sections = [block for block in report.blocks if isinstance(block, Heading) and block.level == 2]
    contents = "".join(
        f'<li><a href="#{_anchor(section.text)}">{escape(section.text)}</a></li>'
        for section in sections
    )
    notices = "".join(f"<p>{escape(notice)}</p>" for notice in report.notices)
    body = "\n".join(_render(block) for block in report.blocks)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{escape(report.title)}</h1>\n"
        f'<div class="notice" role="note">{notices}</div>\n</header>\n'
        f'<nav aria-label="Contents"><ol>{contents}</ol></nav>\n<main>\n{body}\n</main>\n'
        f'<footer class="notice">{notices}</footer>\n</body>\n</html>\n'
    )


def _render(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f'<h{level} id="{_anchor(text)}">{escape(text)}</h{level}>'
        case Paragraph(text, is_warning):
            opening = '<p class="warning">' if is_warning else "<p>"
            return f"{opening}{escape(text)}</p>"
        case Bullets(lines):
            return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"
        case Table():
            return _render_table(block)
        case Figure(_, svg, caption):
            return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _render_table(table: Table) -> str:
    header = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.header)
    rows = "\n".join(_render_row(row) for row in table.rows)
    return (
        f'<div class="table" tabindex="0"><table>\n<caption>{escape(table.caption)}</caption>\n'
        f"<thead><tr>{header}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )


def _render_row(row: Sequence[str]) -> str:
    first, *others = row
    cells = "".join(f"<td>{_render_cell(cell)}</td>" for cell in others)
    opening = '<tr class="aside">' if first.startswith(" ") else "<tr>"
    return f'{opening}<th scope="row">{escape(first.strip())}</th>{cells}</tr>'


def _render_cell(cell: str) -> str:
    figure, newline, below = cell.partition("\n")
    return escape(figure) + (f"<small>{escape(below)}</small>" if newline else "")


def _anchor(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
