"""People and their groups: bands, reference ranges, what the nearest patients have."""
