"""`ptacl drift`: two cohorts or sites side by side."""
