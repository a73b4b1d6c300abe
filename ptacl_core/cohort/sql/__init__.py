"""Statements of people: checked, run in a process of their own, written only under `exports/`."""
