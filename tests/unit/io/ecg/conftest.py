"""Fixtures of the ECG readers' tests: real samples unpacked once, writers, a fault checker."""

import gzip
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ptacl_core.errors import PtaclError
from ptacl_core.io import read_ecg

_HERE = Path(__file__).parent
_SAMPLES = _HERE.parents[2] / "data" / "ecg"


def _load(stem: str) -> ModuleType:
    """A module of this folder (pytest's importlib mode puts no folder on the path)."""
    name = f"ptacl_test_{stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, _HERE / f"{stem}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def files() -> ModuleType:
    """The writers of `ecg_files.py` and `ecg_xml_files.py` under one name."""
    writers = _load("ecg_files")
    for name, writer in vars(_load("ecg_xml_files")).items():
        if not name.startswith("_"):
            setattr(writers, name, writer)
    return writers


@pytest.fixture(scope="session")
def samples(tmp_path_factory) -> Path:
    """A folder with the real sample recordings, unpacked."""
    folder = tmp_path_factory.mktemp("ecg_samples")
    packed = sorted(_SAMPLES.glob("*.gz"))
    assert len(packed) == 14
    for path in packed:
        (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    return folder


@pytest.fixture
def refuse(files):
    """Reads a file that must be refused; gives the message after checking what holds for all."""

    def check(path: Path, kind: type[PtaclError], **hints: object) -> str:
        with pytest.raises(PtaclError) as caught:
            read_ecg(path, **hints)
        assert type(caught.value) is kind
        message = str(caught.value)
        assert "\n" not in message and len(message) < 400
        assert all(character.isprintable() for character in message)
        assert files.PATIENT not in message
        assert str(Path(path).parent) not in message or str(Path(path).parent) in {".", "/"}
        return message

    return check


@pytest.fixture
def shop(files, samples, tmp_path):
    """What bad files are built with."""
    return _load("ecg_workshop").Workshop(files, samples, tmp_path)


@pytest.fixture
def expect_refusal(shop, refuse):
    """Builds a bad file and checks that it is refused as `error` with all `words`."""

    def check(build, error, words, hints) -> None:
        message = refuse(build(shop), error, **hints)
        for word in words:
            assert word in message
        assert "Quux" not in message

    return check
