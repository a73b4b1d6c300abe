"""`ptacl train`: pretraining, alignment, fine-tuning and supervised rows of a run."""
