"""A widget that shows one picture in pixels, where the terminal has them."""

from textual.widget import Widget

from ptacl_app.shell.services import services_of
from ptacl_app.terminal.image_layer import ImageLayer


class PictureWidget(Widget):
    """Claims a slot of the image layer while it is mounted; `_images` is None without pixels."""

    _images: ImageLayer | None = None
    _slot: int = 0

    def on_mount(self) -> None:
        """Pixels, where the terminal has them."""
        self._images = services_of(self).images
        if self._images is not None:
            self._slot = self._images.claim(self.refresh)

    def on_unmount(self) -> None:
        """Give the picture back."""
        if self._images is not None:
            self._images.release(self._slot)
