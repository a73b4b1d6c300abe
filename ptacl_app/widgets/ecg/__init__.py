"""The ECG on the screen: cells or pixels, the mouse on it, what is chosen and shown."""
