"""Drawings of reports as SVG text: no library, no script, readable without colour."""
