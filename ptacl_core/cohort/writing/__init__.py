"""Changes of the store: a private copy, checked and published whole."""
