"""Keeps a predicate under a name, in the notes beside the store."""
