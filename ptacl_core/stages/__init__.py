"""The pipeline: a folder per verb, each with a `run`. Stages meet in files, not in calls."""
