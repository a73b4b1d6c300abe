"""What the screens show of a cohort and of the model; the only way to either."""
