"""What all readers share: bounded files, archives, text tables, DICOM values."""
