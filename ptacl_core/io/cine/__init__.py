"""Every cine format → CineRecord."""
