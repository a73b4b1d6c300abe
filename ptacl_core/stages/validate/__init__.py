"""`ptacl validate`: a frozen model on somebody else's hearts."""
