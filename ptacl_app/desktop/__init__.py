"""The app in a window of its own: start page, native dialogs, one instance."""
