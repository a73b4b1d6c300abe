"""ECG and cine as cells, by numbers alone."""
