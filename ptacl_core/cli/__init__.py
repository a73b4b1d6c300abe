"""The command line: options in, stages called, tables or JSON out. No logic of its own."""
