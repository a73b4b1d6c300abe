"""The tables and views of the store, their migrations and their documentation."""
