"""Results as tables for the terminal: one file per kind of result."""
