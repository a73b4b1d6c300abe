"""A report as Markdown, with its figures as files beside it."""

from collections.abc import Sequence

from ptacl_core.report.blocks import Block, Bullets, Figure, Heading, Paragraph, Report, Table

FIGURES_FOLDER = "figures"


def render_markdown(report: Report) -> str:
    """The text; figures are named as figures/<name>.svg."""
    notices = "\n".join(f"> {notice}  " for notice in report.notices)
    parts = [f"# {report.title}", notices, *(_render(block) for block in report.blocks)]
    return "\n\n".join(parts) + "\n"


def list_figures(report: Report) -> dict[str, str]:
    """File name → SVG of every figure."""
    return {f"{block.name}.svg": block.svg for block in report.blocks if isinstance(block, Figure)}


def _render(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {text}"
        case Paragraph(text, is_warning):
            return f"> **{text}**" if is_warning else text
        case Bullets(lines):
            return "\n".join(f"- {line}" for line in lines)
        case Table(caption, header, rows):
            return "\n".join([f"**{caption}**", "", *_render_table(header, rows)])
        case Figure(name, _, caption):
            return f"![{caption}]({FIGURES_FOLDER}/{name}.svg)\n\n*{caption}*"


def _render_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [_join(header), "|---|" + "---:|" * (len(header) - 1)]
    lines += [_join(_set_aside(row)) for row in rows]
    return lines


def _set_aside(row: Sequence[str]) -> Sequence[str]:
    """A row that stands aside, in italics."""
    if not row[0].startswith(" "):
        return row
    return [f"*{cell.strip()}*" if cell.strip() else cell for cell in row]


def _join(cells: Sequence[str]) -> str:
    plain = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
    return "| " + " | ".join(plain) + " |"
