"""`ptacl simulate`: a paired cohort with known truth, as shards or as files."""
