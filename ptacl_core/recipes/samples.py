"""Where the real sample ECGs of the package lie."""

import sysconfig
from pathlib import Path

from ptacl_core.errors import PtaclError

SAMPLE_SUFFIXES = (".hea", ".dcm", ".xml")


def find_sample_ecgs() -> list[Path]:
    """The sample recordings, from the source tree or from an installation, by name.

    Raises PtaclError when neither has them.
    """
    places = [
        Path(__file__).resolve().parents[2] / "assets" / "samples",
        Path(sysconfig.get_path("data")) / "share" / "ptacl" / "samples",
    ]
    for place in places:
        paths = sorted(path for path in place.glob("*") if path.suffix in SAMPLE_SUFFIXES)
        if paths:
            return paths
    raise PtaclError(
        "the sample ECGs are neither in assets/samples nor in share/ptacl/samples; "
        "install the package whole, or run from a clone"
    )
