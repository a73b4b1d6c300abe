"""What stands on the screens, one widget per file."""
