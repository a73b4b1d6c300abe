"""The numbers that pictures have in the terminal.

Kitty 0.26, told to free one picture, frees every other that stands nowhere at that moment: all
frames of a cine but the one that is seen. There a picture that is done with is only taken off the
screen, and its number is used again: the new data take the place of the old.
"""

from ptacl_app.terminal.placeholders import compute_image_id


class PictureNumbers:
    """Gives numbers out; those given back are free once the farewell has been written."""

    def __init__(self, *, is_reused: bool) -> None:
        self._is_reused = is_reused
        self._last = 0
        self._leaving: list[int] = []
        self._free: dict[int, list[int]] = {}

    def take(self, slot: int) -> int:
        """A number that no picture has now; the highest byte is the slot."""
        free = self._free.get(slot)
        if free:
            return free.pop()
        self._last += 1
        return compute_image_id(slot, self._last)

    def give_back(self, number: int) -> None:
        """Its picture is done with."""
        if self._is_reused:
            self._leaving.append(number)

    def note_written(self) -> None:
        """What was said to the terminal until now is on its way."""
        for number in self._leaving:
            self._free.setdefault(number >> 24, []).append(number)
        self._leaving.clear()

    def list_free(self) -> list[int]:
        """Numbers whose pictures the terminal still has."""
        return [number for numbers in self._free.values() for number in numbers]
