"""DICOM images of an examination → one short-axis cine."""
