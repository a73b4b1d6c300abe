"""`ptacl pack`, `ptacl unpack` and `ptacl egress`: what of a run may leave, and what does."""
