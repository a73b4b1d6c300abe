"""Settings of every stage: frozen, strict models whose attribute docstrings are the manual."""
