"""Chains of stages that make one product: the demo."""
