"""The documents that leave the program: one typed model each, with kind, version and schema."""
