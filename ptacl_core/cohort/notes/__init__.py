"""What people write about a cohort, and the audit log."""
