"""DICOM waveform objects."""
