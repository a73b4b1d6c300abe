"""Where the mouse points: by pixel where the terminal or page tells pixels, else by cell."""

from textual import events

from ptacl_app.terminal.image_layer import ImageLayer


def place_of(event: events.MouseEvent, images: ImageLayer | None) -> tuple[float, float]:
    """Cells from the widget's corner: the middle of the pixel, or of the cell, pointed at."""
    x, y = event.pointer_x, event.pointer_y
    if images is not None and images.has_pixel_mouse:
        width_px, height_px = images.cell_px
        return x + 0.5 / width_px, y + 0.5 / height_px
    return (x if x != int(x) else x + 0.5), (y if y != int(y) else y + 0.5)
