"""Phenotype tables → one row per patient and visit, in our units."""
