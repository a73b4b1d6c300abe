"""Array files of public data sets, known by what lies in them, and the facts they leave out.

The files state neither unit nor rate nor lead order; their documentation does. A file is taken
as one of these sets only when names and sizes agree, and says so in a finding.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.records import LEAD_NAMES, Finding


@dataclass(frozen=True, slots=True)
class KnownSet:
    """A data set's name, the array that holds its samples, and the facts its files leave out."""

    title: str
    array_name: str
    hints: EcgHints

    def as_finding(self) -> Finding:
        """What was taken from the data set's documentation."""
        return Finding(
            "known_layout",
            "info",
            f"the arrays are laid out as in {self.title}; lead order, "
            f"{self.hints.sampling_rate_hz:g} Hz and {self.hints.unit} were taken from it",
        )


_CODE_SHAPE = (4096, 12)
"""CODE-15%: 400 Hz, 10.24 s, shorter recordings zero-padded on both sides."""


def recognise_arrays(shapes: Mapping[str, tuple[int, ...]]) -> KnownSet | None:
    """The data set whose files hold arrays of these names and `shapes`, None for any other.

    CODE-15% (`tracings` [exam, 4096, 12] beside `exam_id`, Ribeiro et al.) and CPSC2018 (a
    structure `ECG` of `sex`, `age` and `data` [12, sample], Liu et al.; MATLAB 7.3 keeps it
    transposed).
    """
    tracings = shapes.get("tracings", ())
    if tracings[1:] == _CODE_SHAPE and shapes.get("exam_id", ())[:1] == tracings[:1]:
        return KnownSet("CODE-15%", "tracings", EcgHints(LEAD_NAMES, "mV", 400.0))
    fields = {key.rpartition("/")[2] for key in shapes if key.startswith("ECG/")}
    data = shapes.get("ECG/data", ())
    if fields == {"sex", "age", "data"} and len(data) == 2 and 12 in data:
        return KnownSet("CPSC2018", "ECG/data", EcgHints(LEAD_NAMES, "mV", 500.0))
    return None
