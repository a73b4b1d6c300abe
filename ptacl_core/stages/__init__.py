"""The pipeline: one thin file per verb. Stages meet in files, never call each other."""
