"""What a table of the store is: columns with types and meanings, a key, whose rows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its DuckDB type and what it means."""

    name: str
    type: str
    meaning: str
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table: `key` columns identify a row, `patient_column` is None for tables of no person."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    patient_column: str | None = "patient"

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names in order."""
        return tuple(column.name for column in self.columns)

    def create_sql(self, schema: str = "main") -> str:
        """The statement that creates the table."""
        columns = ", ".join(
            f"{column.name} {column.type}{' NOT NULL' if column.is_required else ''}"
            for column in self.columns
        )
        return f"CREATE TABLE {schema}.{self.name} ({columns})"


def describe_column(name: str, kind: str, meaning: str) -> Column:
    """A column; `kind` is its DuckDB type, with `!` where a value is required."""
    required = kind.endswith("!")
    return Column(name, kind.rstrip("!"), meaning, required)


def describe_table(
    name: str,
    meaning: str,
    columns: tuple[tuple[str, str, str], ...],
    key: tuple[str, ...],
    *,
    patient_column: str | None = "patient",
) -> Table:
    """A table of columns that are given as (name, kind, meaning)."""
    return Table(
        name, meaning, tuple(describe_column(*column) for column in columns), key, patient_column
    )


PATIENT = ("patient", "VARCHAR!", "pseudonym")
VISIT = ("visit", "INTEGER!", "number of the visit, from 0 (UK Biobank: the instance)")
MODALITY = ("modality", "VARCHAR!", "ecg or cmr")
RUN = ("run", "VARCHAR!", "id of the training run")
