"""Probes of single targets on frozen features: penalised, with folds by person."""
