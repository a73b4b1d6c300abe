"""Whose recording a file is: what it says inside, what its name and folders say, what agrees."""
