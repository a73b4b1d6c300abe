"""`ptacl doctor`: the installation, or what the readers make of one file."""
