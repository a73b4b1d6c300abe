"""`ptacl erase` and `ptacl verify`: people who withdrew leave, cohort directories are checked."""
