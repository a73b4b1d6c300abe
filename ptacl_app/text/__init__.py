"""Numbers, units, names and SQL as text. Pure functions."""
