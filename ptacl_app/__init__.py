"""The terminal app over a cohort directory: ECG and heart on one screen. Research use only."""
