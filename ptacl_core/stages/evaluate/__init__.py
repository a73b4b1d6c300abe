"""`ptacl evaluate`: Tables 1 and 2, the alignment and its controls, the model card of a run."""
