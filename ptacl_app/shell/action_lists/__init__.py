"""The actions by screen; `shell.actions` puts them together."""
