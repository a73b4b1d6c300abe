"""A run on disk: its folder and settings, which run is meant, its encoders, its provenance."""
