"""Folders and archives: which files are recordings or tables, and their names."""
