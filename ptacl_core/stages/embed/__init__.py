"""`ptacl embed`: embeddings, alignment maps and predictions of a cohort, into the store."""
