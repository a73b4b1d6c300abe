# pyright: reportMissingImports=false, reportUntypedBaseClass=false
"""A small window like a file manager's: what is dragged out of it are the files named.

Run by a Python that has PySide6: `python file_source.py FILE...`. A real source of X's drag and
drop, for the driving scripts.
"""

import sys

from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QDrag, QMouseEvent
from PySide6.QtWidgets import QApplication, QLabel

TITLE = "files to drag"


class Files(QLabel):
    """A label that a drag begins on."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__("\n".join(path.rsplit("/", 1)[-1] for path in paths))
        self.paths = paths
        self.setWindowTitle(TITLE)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setGeometry(20, 20, 220, 60)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - as Qt calls it
        """Begin the drag."""
        if not event.buttons() & Qt.MouseButton.LeftButton:
            return
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(path) for path in self.paths])
        drag = QDrag(self)
        drag.setMimeData(data)
        drag.exec(Qt.DropAction.CopyAction)


if __name__ == "__main__":
    application = QApplication(sys.argv[:1])
    window = Files(sys.argv[1:])
    window.show()
    sys.exit(application.exec())
