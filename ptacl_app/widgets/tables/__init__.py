"""Lists of patients, neighbours and rows of results."""
