"""Is a cohort directory whole: checks, defects, repair, the self-test."""
