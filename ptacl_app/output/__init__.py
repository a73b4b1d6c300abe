"""What leaves the app: exports and the report."""
