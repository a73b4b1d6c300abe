"""`ptacl schema`: the JSON schema of a document that leaves the program."""

from typing import Annotated

import typer

from ptacl_core.cli.output import print_line


def schema(
    name: Annotated[
        str | None,
        typer.Argument(help="doctor, drift, evaluation, health, prediction, preprocess …"),
    ] = None,
) -> None:
    """Print the JSON schema of a document.

    Without NAME, the names of the documents that --json prints and their versions.
    """
    import json

    from ptacl_core.documents.catalogue import DOCUMENTS, describe_schema

    if name is None:
        for key, forms in DOCUMENTS.items():
            versions = ", ".join(f"{document.KIND} {document.VERSION}" for document in forms)
            print_line(f"{key:<14}{versions}")
        return
    print_line(json.dumps(describe_schema(name), indent=1))


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(schema)
