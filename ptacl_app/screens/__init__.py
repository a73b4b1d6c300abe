"""The app's screens, one per file, with a stylesheet beside each."""
