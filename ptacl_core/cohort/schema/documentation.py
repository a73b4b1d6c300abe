"""The schema of the store in words, as `ptacl query` and README show it."""

from ptacl_core.cohort.schema.tables import TABLES, embedding_table
from ptacl_core.cohort.schema.views import OVERVIEW_MEANING, VIEWS


def describe_schema() -> str:
    """Tables, columns, keys and views of the store as Markdown."""
    lines = ["# Schema of the cohort store", "", "## Ready views", ""]
    lines.append(f"- `overview`: {OVERVIEW_MEANING}")
    lines.extend(f"- `{name}`: {meaning}" for name, (meaning, _) in VIEWS.items())
    lines.extend(["", "## Tables", ""])
    for table in (*TABLES, embedding_table(512)):
        lines.extend([f"### {table.name}", "", f"{table.meaning} Key: {', '.join(table.key)}.", ""])
        lines.extend(["| column | type | meaning |", "|---|---|---|"])
        lines.extend(
            f"| {column.name} | {column.type} | {column.meaning} |" for column in table.columns
        )
        lines.append("")
    return "\n".join(lines)
