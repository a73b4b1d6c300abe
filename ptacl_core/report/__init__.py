"""Results as documents to read: report.html, report.md, model cards. Plain values in, text out."""
