"""SCP-ECG (EN 1064) recordings."""
