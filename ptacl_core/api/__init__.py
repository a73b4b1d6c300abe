"""What a Python session sees: a model that answers, a cohort as tables, features for a probe."""
