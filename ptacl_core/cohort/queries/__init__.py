"""Typed queries about people, runs and selections."""
