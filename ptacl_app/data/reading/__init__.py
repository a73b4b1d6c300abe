"""What the app asks of a store, by subject; `cohort_reader` puts it together."""
