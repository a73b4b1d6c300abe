"""A withdrawn person leaves everything derived from them, with a certificate."""
