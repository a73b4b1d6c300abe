"""Parts that encoders are made of: patches, positions, masking, attention, pooling, heads."""
