"""`ptacl report`: reporting checklists and the data sheet of a cohort, from what is on disk."""
