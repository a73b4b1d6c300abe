"""Definitions of a cohort's targets, and the tables that have their values."""
