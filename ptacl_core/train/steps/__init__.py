"""What one training step computes: alignment, pretraining, regression, and the local losses."""
