"""Simulated recordings as the files that people have: CardioSoft XML, DICOM, UK Biobank."""
