"""`ptacl export`: the ECG path of a model as an exported program of torch."""
