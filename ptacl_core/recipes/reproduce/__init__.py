"""From the rows of all seeds on disk to the one document that `ptacl reproduce` reports."""
