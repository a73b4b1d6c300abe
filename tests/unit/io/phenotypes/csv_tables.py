"""A table of phenotypes from its text, and the codes of what is said of it."""

from ptacl_core.io import read_phenotypes


def read(tmp_path, text, **options):
    path = tmp_path / "a.csv"
    path.write_text(text)
    return read_phenotypes(path, **options)


def codes(table):
    return {finding.code for finding in table.findings}
