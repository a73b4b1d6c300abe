"""A run as one file without patients (`.ptacl`): its container, its members, read with bounds."""
