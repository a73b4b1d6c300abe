"""Child processes with bounds, pools, signals."""
