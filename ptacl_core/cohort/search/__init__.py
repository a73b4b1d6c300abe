"""Nearest patients by embedding: exact, or by an index for very large cohorts."""
