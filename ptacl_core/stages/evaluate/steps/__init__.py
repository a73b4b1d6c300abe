"""The alignment of steps in an evaluation: its map, its controls, the timing that it keeps."""
