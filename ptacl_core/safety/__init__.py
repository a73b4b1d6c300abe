"""Guards used everywhere: atomic files, locks, checksums, clean text."""
