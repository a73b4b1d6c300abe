"""`ptacl schema`: the JSON schema of a document that leaves the program."""

from typing import Annotated

import typer

from ptacl_core.cli.output import print_line


def schema(
    name: Annotated[
        str | None, typer.Argument(help="evaluation, health, prediction or reproduction.")
    ] = None,
) -> None:
    """Print the JSON schema of a document.

    Without NAME, the names of the documents that --json prints and their versions.
    """
    import json

    from ptacl_core.documents.catalogue import DOCUMENTS, describe_schema

    if name is None:
        for key, document in DOCUMENTS.items():
            print_line(f"{key:<14}{document.KIND} {document.VERSION}")
        return
    print_line(json.dumps(describe_schema(name), indent=1))


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(schema)
