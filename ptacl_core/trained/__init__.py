"""A trained model ready to answer, of a run in a cohort or of a packed file alike."""
