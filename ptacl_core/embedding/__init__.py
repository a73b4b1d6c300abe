"""From trained encoders to features, and from features to predictions with intervals."""
